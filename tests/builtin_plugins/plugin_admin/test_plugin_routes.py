"""`/api/plugins`: entries, switching, purging, providers, permissions (plugin
contract, 9 to 13)."""

from __future__ import annotations

import pytest

from .conftest import SETTINGS


def test_the_entry_has_exactly_the_members_of_the_contract(shared):
    entry = shared.get("/api/plugins/themes").json()
    assert entry == {
        "id": "themes",
        "name": "Themes",
        "version": "1.2.0",
        "sdk": ">=1,<2",
        "description": "Colours",
        "authors": [{"name": "A"}],
        "homepage": None,
        "license": "MIT",
        "state": "active",
        "enabled": True,
        "bundled": False,
        "protected": False,
        "source": "folder",
        "error": None,
        "requires": [],
        "capabilities": [],
        "permissions": [{"name": "themes:manage", "description": "Change the theme"}],
        "providers": [],
        "routes": {"prefix": "/api/plugins/themes"},
        "hasSettings": True,
        "hasSettingsHtml": True,
        "settingsSchema": SETTINGS,
        "frontend": {
            "scripts": ["/api/plugins/themes/file/static/themes.js?v=1.2.0"],
            "styles": ["/api/plugins/themes/file/static/a%20b.css?v=1.2.0"],
            "pages": [
                {
                    "path": "page.html",
                    "title": "Themes",
                    "icon": "",
                    "order": 100,
                    "url": "/api/plugins/themes/file/page.html?v=1.2.0",
                }
            ],
        },
        "conflicts": [],
    }


def test_the_list_is_bare_and_by_id(shared):
    entries = shared.get("/api/plugins").json()
    ids = [entry["id"] for entry in entries]
    assert ids == sorted(ids)
    assert {"plugin_admin", "local_storage", "themes"} <= set(ids)
    (admin,) = [entry for entry in entries if entry["id"] == "plugin_admin"]
    assert admin["bundled"]
    assert admin["protected"]
    assert admin["source"] == "built-in"


def test_enable_and_disable_answer_with_the_entry(host):
    disabled = host.post("/api/plugins/themes/disable")
    assert (disabled.status, disabled.json()["state"]) == (200, "disabled")
    assert disabled.json()["frontend"] == {"scripts": [], "styles": [], "pages": []}
    assert host.get("/api/plugins/themes/hello").status == 404
    assert host.get("/api/plugins/themes/file/static/themes.js").status == 404
    assert host.get("/api/plugins/themes/settings").status == 404
    assert host.get("/api/plugins/themes/config").status == 200
    enabled = host.post("/api/plugins/themes/enable")
    assert (enabled.status, enabled.json()["state"]) == (200, "active")
    assert host.post("/api/plugins/themes/enable").status == 200
    assert host.get("/api/plugins/themes/hello").status == 200


@pytest.mark.parametrize(
    ("plugin_id", "status", "code"),
    [
        ("nowhere", 404, "NOT_FOUND"),
        ("plugin_admin", 409, "PROTECTED_PLUGIN"),
        ("local_storage", 409, "PROVIDER_IN_USE"),
    ],
)
def test_what_cannot_be_disabled(shared, plugin_id, status, code):
    reply = shared.post(f"/api/plugins/{plugin_id}/disable")
    assert (reply.status, reply.json()["error"]) == (status, code)


def test_purge_removes_data_and_nothing_else(host):
    host.post("/api/plugins/themes/keep", json={"a": 1})
    host.put("/api/plugins/themes/config", json={"greeting": "you"})
    assert host.get("/api/admin/plugins/themes/data").json()["keys"] == 1
    assert host.post("/api/plugins/themes/purge").status == 204
    assert host.get("/api/plugins/themes/keep").json() == {"kept": None}
    assert host.get("/api/admin/plugins/themes/data").json()["keys"] == 0
    assert host.get("/api/plugins/themes/hello").json() == {"hello": "you"}


def test_purge_of_everything_wants_the_plugin_off(host):
    host.post("/api/plugins/themes/keep", json={"a": 1})
    host.put("/api/plugins/themes/config", json={"greeting": "you"})
    busy = host.post("/api/plugins/themes/purge", json={"scope": "all"})
    assert (busy.status, busy.json()["error"]) == (409, "PLUGIN_ACTIVE")
    protected = host.post("/api/plugins/plugin_admin/purge", json={"scope": "all"})
    assert (protected.status, protected.json()["error"]) == (409, "PROTECTED_PLUGIN")
    host.post("/api/plugins/themes/disable")
    assert host.post("/api/plugins/themes/purge", json={"scope": "all"}).status == 204
    assert not (host.data_dir / "plugins" / "themes" / "plugin.db").exists()
    assert (host.data_dir / "plugins" / "themes" / "__init__.py").exists()
    assert host.get("/api/plugins/themes/config").json()["greeting"] == "world"


def test_purge_of_the_unknown(host):
    assert host.post("/api/plugins/nowhere/purge").status == 404
    assert host.post("/api/plugins/..%2fthemes/purge", json={"scope": "all"}).status == 404
    assert host.post("/api/plugins/themes/purge", json={"scope": "some"}).status == 400
    store = host.host._services.find("plugin_data.store", bundled=True)
    store.set("gone.away", "key", 1)
    assert host.post("/api/plugins/gone.away/purge").status == 204
    assert host.post("/api/plugins/gone.away/purge").status == 404


def test_providers_are_listed_and_chosen(host):
    listing = host.get("/api/plugins/providers").json()
    assert listing["storage"][0] == {
        "name": "local",
        "pluginId": "local_storage",
        "active": True,
        "chosen": True,
    }
    assert not any(each["active"] for each in listing["storage"][1:])
    assert all(each.keys() == listing["storage"][0].keys() for each in listing["metadata"])
    chosen = host.put("/api/plugins/providers/storage/active", json={"name": "local"})
    assert chosen.json() == {
        "type": "storage",
        "active": "local",
        "providers": listing["storage"],
    }
    for path, body in [("storage", {"name": "tape"}), ("nothing", {"name": "x"})]:
        assert host.put(f"/api/plugins/providers/{path}/active", json=body).status == 404
    assert host.put("/api/plugins/providers/storage/active", json={"name": 5}).status == 400


def test_permissions_are_listed_in_order(host):
    names = [each["name"] for each in host.get("/api/plugins/permissions/available").json()]
    assert names[:8] == [
        "ADMIN",
        "EDIT_TRACKS",
        "DELETE_TRACKS",
        "MANAGE_SETTINGS",
        "MANAGE_PERMISSIONS",
        "MANAGE_PROFILES",
        "MANAGE_PLUGINS",
        "UPLOAD",
    ]
    assert "themes:manage" in names[8:]
    assert names[8:] == sorted(names[8:])
    host.disable("themes")
    names = [each["name"] for each in host.get("/api/plugins/permissions/available").json()]
    assert "themes:manage" not in names


def test_version(shared):
    answer = shared.get("/api/version").json()
    assert answer["sdk"] == "1.0.0"
    assert set(answer) == {"version", "gitSha", "buildDate", "sdk", "sourceUrl", "licenseUrl"}


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/api/plugins/", 404, None),
        ("GET", "/api/plugins/themes/", 404, None),
        ("DELETE", "/api/plugins", 405, "GET, HEAD, POST, OPTIONS"),
        ("GET", "/api/plugins/themes/enable", 405, "POST, OPTIONS"),
        ("OPTIONS", "/api/plugins/themes/config", 200, "GET, HEAD, PUT, OPTIONS"),
        ("HEAD", "/api/plugins/themes", 200, None),
    ],
)
def test_methods_and_paths(shared, method, path, status, allow):
    reply = shared.request(method, path)
    assert reply.status == status
    assert reply.headers.get("allow") == allow


def test_another_site_cannot_switch_plugins(shared):
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        reply = shared.post("/api/plugins/themes/disable", headers=headers)
        assert reply.status in (401, 403)
    assert shared.get("/api/plugins/themes", headers={"Host": "evil.example"}).status == 403
    assert shared.entry("themes").state == "active"


def test_an_unknown_token_is_nobody(shared):
    assert shared.post("/api/plugins/themes/disable", token="no-such-token").status == 401
    assert shared.get("/api/plugins", token="no-such-token").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.5"},
        {"Forwarded": "for=203.0.113.5"},
        {"Via": "1.1 proxy"},
        {"Host": "stagebox.example"},
    ],
)
def test_what_a_proxy_passes_on_is_not_the_local_administrator_s(make_host, headers):
    host = make_host(config={"allowed_hosts": ["stagebox.example"]})
    assert host.get("/api/plugins", headers=headers).status == 200
    reply = host.post("/api/plugins/realtime/disable", headers=headers)
    assert (reply.status, reply.json()["error"]) == (401, "UNAUTHORIZED")
    assert host.post("/api/plugins/realtime/disable").status == 200
