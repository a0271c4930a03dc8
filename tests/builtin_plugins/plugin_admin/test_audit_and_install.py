"""The audit trail, and installing over HTTP."""

from __future__ import annotations

import io
import uuid
import zipfile

import pytest

from plugin_sdk import Invalid
from plugin_sdk.testing import FakeCommandIO

CODE = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"version": 1}

        @route("POST", "/own", permission="packed:own")
        def own(self, request):
            return {}

        @route("POST", "/noted", audit=True, summary="Worth noting")
        def noted(self, request):
            return {}
"""
PERMISSIONS = [{"name": "packed:own", "description": "Own"}]


def zipped(folder) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return content.getvalue()


def upload(host, package: bytes, query: str = "", name: str = "file"):
    boundary = uuid.uuid4().hex
    head = f'Content-Disposition: form-data; name="{name}"; filename="../x.zip"\r\n\r\n'
    body = f"--{boundary}\r\n{head}".encode() + package + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return host.post(f"/api/plugins{query}", content=body, headers=headers)


def actions(host) -> list[str]:
    return [entry["action"] for entry in host.get("/api/admin/audit").json()]


@pytest.fixture
def package(write_plugin):
    def make(version="1.0.0", code=CODE, into=None, **more):
        manifest = {"permissions": PERMISSIONS, "version": version, **more}
        return zipped(write_plugin("packed", code, into=into, **manifest))

    return make


def test_a_package_is_shown_then_installed_then_removed(make_host, package, tmp_path):
    host = make_host()
    plan = upload(host, package(), "?preview=true")
    assert plan.status == 200
    assert plan.json()["permissions"] == PERMISSIONS
    assert host.get("/api/plugins/packed").status == 404
    installed = upload(host, package())
    assert installed.status == 201
    assert installed.headers["location"] == "/api/plugins/packed"
    assert installed.json()["state"] == "disabled"
    assert host.post("/api/plugins/packed/enable").json()["state"] == "active"
    newer = package("2.0.0", CODE.replace('"version": 1', '"version": 2'), tmp_path / "v2",
                    capabilities=["db"])  # fmt: skip
    refused = upload(host, newer)
    assert (refused.status, refused.json()["error"]) == (409, "CONFIRMATION_NEEDED")
    assert upload(host, newer, "?accept=true").json()["version"] == "2.0.0"
    assert host.get("/api/plugins/packed/hello").json() == {"version": 2}
    assert host.delete("/api/plugins/packed?purge=true").status == 204
    assert host.get("/api/plugins/packed").status == 404
    assert host.delete("/api/plugins/realtime").status == 409


@pytest.mark.parametrize(
    ("content", "name", "text"),
    [
        (b"no archive", "file", "neither a plugin folder nor a ZIP"),
        (b"no archive", "other", "exactly one file part"),
    ],
)
def test_what_is_no_package_is_refused(make_host, content, name, text):
    host = make_host()
    reply = upload(host, content, name=name)
    assert reply.status == 400
    assert text in reply.json()["message"]


def test_packages_that_do_not_go_together_are_told_first(make_host, package):
    host = make_host()
    content = io.BytesIO(package())
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(
            "packed-1.0.0.dist-info/METADATA",
            "Name: packed\nRequires-Dist: pluggy<0.1\nRequires-Dist: nonesuch-lib>=2\n",
        )
    plan = upload(host, content.getvalue(), "?preview=true").json()
    assert plan["packages"] == ["pluggy<0.1", "nonesuch-lib>=2"]
    first, second = plan["problems"]
    assert first.startswith("packed needs pluggy<0.1, but pluggy ")
    assert "(Stagebox itself needs pluggy>=1.5" in first
    assert second == "packed needs nonesuch-lib>=2, which is not installed."
    refused = upload(host, content.getvalue())
    assert (refused.status, refused.json()["error"]) == (409, "DEPENDENCY_CONFLICT")
    assert host.get("/api/plugins/packed").status == 404


def test_changes_by_permission_leave_a_row(make_host, write_plugin):
    host = make_host(write_plugin("packed", CODE, permissions=PERMISSIONS))
    assert host.post("/api/plugins/packed/disable").status == 200
    assert host.post("/api/plugins/packed/enable").status == 200
    assert host.post("/api/plugins/nowhere/enable").status == 404
    assert host.post("/api/plugins/packed/own").status == 200
    assert host.post("/api/plugins/packed/noted").status == 200
    host.put("/api/plugins/local_api/config", json={"exposeOnLan": False})
    assert actions(host) == [
        "PUT /api/plugins/local_api/config",
        "POST /api/plugins/packed/noted",
        "POST /api/plugins/packed/enable",
        "POST /api/plugins/packed/disable",
    ]
    entry = host.get("/api/admin/audit?limit=1").json()[0]
    assert entry["principal"] == {"id": "local", "name": "Local administrator"}
    assert entry["peer"] == "127.0.0.1"
    assert entry["pluginId"] == "plugin_admin"
    assert entry["at"].endswith("Z")
    older = host.get(f"/api/admin/audit?before={entry['id']}").json()
    assert [each["id"] for each in older] == sorted((each["id"] for each in older), reverse=True)
    assert len(older) == 3
    host.restart()
    assert len(actions(host)) == 4


def test_the_trail_is_the_administrator_s_alone(make_host):
    host = make_host()
    assert host.get("/api/admin/audit", token="nobody").status == 401
    assert host.get("/api/admin/audit?limit=0").status == 400
    assert host.delete("/api/admin/audit").status == 405


def test_the_trail_is_printed_in_part(make_host):
    host = make_host()
    for _ in range(2):
        host.put("/api/plugins/local_api/config", json={"exposeOnLan": False})
    admin, terminal = host.plugin("plugin_admin"), FakeCommandIO()
    admin.print_audit(terminal, 1)
    assert terminal.output.count("PUT /api/plugins/local_api/config") == 1
    for limit in (-1, 0, 1001):
        with pytest.raises(Invalid):
            admin.print_audit(terminal, limit)
