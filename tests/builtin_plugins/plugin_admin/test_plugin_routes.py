"""`/api/plugins` and everything below it, on a real socket (plugin contract, 9 to 13)."""

from __future__ import annotations

import pytest

CODE = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": self.context.settings["greeting"]}

        @route("POST", "/keep", access="open")
        def keep(self, request):
            self.context.data.set("kept", request.json())
            return {"kept": self.context.data.get("kept")}

        @route("GET", "/keep", access="open")
        def kept(self, request):
            return {"kept": self.context.data.get("kept")}
"""
SETTINGS = {
    "type": "object",
    "properties": {
        "greeting": {"type": "string", "default": "world"},
        "count": {"type": "integer", "minimum": 1},
        "password": {"type": "string", "writeOnly": True},
    },
}


@pytest.fixture
def host(make_host, write_plugin):
    folder = write_plugin(
        "themes",
        CODE,
        version="1.2.0",
        description="Colours",
        authors=[{"name": "A"}],
        license="MIT",
        permissions=[{"name": "themes:manage", "description": "Change the theme"}],
        settings=SETTINGS,
        settingsHtml="settings.html",
        frontend={
            "scripts": ["static/themes.js"],
            "styles": ["static/a b.css"],
            "pages": [{"path": "page.html", "title": "Themes"}],
        },
    )
    (folder / "static").mkdir()
    names = ("static/themes.js", "static/a b.css", "static/x.svg", "static/.hidden", "page.html")
    for name in names:
        (folder / name).write_text(f"/* {name} */")
    (folder / "settings.html").write_text("<form>…</form>")
    (folder / "secret.txt").write_text("secret")
    (folder / "static" / "code.py").write_text("x = 1")
    host = make_host(folder)
    (host.data_dir / "plugins" / "themes" / "static" / "link.txt").symlink_to("/etc/passwd")
    return host


def test_the_entry_has_exactly_the_members_of_the_contract(host):
    entry = host.get("/api/plugins/themes").json()
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


def test_the_list_is_bare_and_by_id(host):
    entries = host.get("/api/plugins").json()
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
def test_what_cannot_be_disabled(host, plugin_id, status, code):
    reply = host.post(f"/api/plugins/{plugin_id}/disable")
    assert (reply.status, reply.json()["error"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("static/themes.js", "text/javascript; charset=utf-8"),
        ("static/a%20b.css", "text/css; charset=utf-8"),
        ("static/x.svg", "image/svg+xml"),
        ("page.html", "text/html; charset=utf-8"),
        ("settings.html", "text/html; charset=utf-8"),
    ],
)
def test_files_that_are_given_away(host, path, content_type):
    reply = host.get(f"/api/plugins/themes/file/{path}")
    assert (reply.status, reply.headers["content-type"]) == (200, content_type)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-cache"
    sandboxed = reply.headers.get("content-security-policy") == "sandbox allow-scripts allow-forms"
    assert sandboxed == path.endswith((".html", ".svg"))
    etag = reply.headers["etag"]
    assert etag.startswith('"')
    again = host.get(f"/api/plugins/themes/file/{path}", headers={"If-None-Match": etag})
    assert (again.status, again.content) == (304, b"")
    part = host.get(f"/api/plugins/themes/file/{path}", headers={"Range": "bytes=0-1"})
    assert (part.status, part.content) == (206, reply.content[:2])
    forever = host.get(f"/api/plugins/themes/file/{path}?v=1.2.0")
    assert forever.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert host.get(f"/api/plugins/themes/file/{path}?v=1").headers["cache-control"] == "no-cache"
    head = host.head(f"/api/plugins/themes/file/{path}")
    assert (head.status, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(reply.content))


@pytest.mark.parametrize(
    "path",
    [
        "plugin.json",
        "__init__.py",
        "plugin.db",
        "secret.txt",
        "static",
        "static/",
        "static/code.py",
        "static/.hidden",
        "static/link.txt",
        "static/../plugin.json",
        "static/%2e%2e/plugin.json",
        "static//themes.js",
        "static%2fthemes.js%00",
        "static/%5c..%5cplugin.json",
        "..%2f..%2fhost.db",
        "/etc/passwd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "static/%252e%252e/plugin.json",
        "",
    ],
)
def test_files_that_are_not(host, path):
    reply = host.get(f"/api/plugins/themes/file/{path}")
    assert reply.status == 404
    assert reply.json()["error"] == "NOT_FOUND"


def test_settings_html_is_sandboxed(host):
    reply = host.get("/api/plugins/themes/settings")
    assert reply.content.decode() == "<form>…</form>"
    assert reply.headers["content-security-policy"] == "sandbox allow-scripts allow-forms"
    assert reply.headers["cache-control"] == "no-cache"
    assert host.get("/api/plugins/realtime/settings").status == 404


def test_config_is_shown_with_masks_and_replaced_as_a_whole(host):
    path = "/api/plugins/themes/config"
    assert host.get(path).json() == {"greeting": "world", "count": None, "password": None}
    stored = host.put(path, json={"greeting": "you", "count": 3, "password": "hush"})
    assert stored.json() == {"greeting": "you", "count": 3, "password": "********"}
    assert host.get("/api/plugins/themes/hello").json() == {"hello": "you"}
    kept = host.put(path, json={"password": "********"})
    assert kept.json() == {"greeting": "world", "count": None, "password": "********"}
    assert host.host.settings_store.effective("themes")["password"] == "hush"
    assert host.put(path, json={}).json()["password"] is None


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        (b'{"greetin": "x"}', "greetin", 'did you mean "greeting"?'),
        (b'{"count": 1.0}', "count", "integer"),
        (b'{"count": true}', "count", "integer"),
        (b'{"count": 0}', "count", "at least 1"),
        (b'{"greeting": 5}', "greeting", "text"),
    ],
)
def test_config_is_checked_and_nothing_is_stored(host, body, path, text):
    headers = {"Content-Type": "application/json"}
    reply = host.put("/api/plugins/themes/config", content=body, headers=headers)
    assert (reply.status, reply.json()["error"]) == (400, "INVALID_REQUEST")
    (detail,) = reply.json()["details"]
    assert detail["path"] == path
    assert text in detail["message"]
    assert host.get("/api/plugins/themes/config").json()["greeting"] == "world"


def test_a_key_that_occurs_twice_is_refused_in_settings(host):
    reply = host.put(
        "/api/plugins/themes/config",
        content=b'{"count": 1, "count": 2}',
        headers={"Content-Type": "application/json"},
    )
    assert reply.status == 400
    assert host.get("/api/plugins/themes/config").json()["count"] is None


def test_what_the_file_pins_cannot_be_changed(make_host, write_plugin, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "stagebox.toml").write_text('[plugins.themes]\ngreeting = "pinned"\n')
    host = make_host(write_plugin("themes", CODE, settings=SETTINGS))
    assert host.get("/api/plugins/themes/hello").json() == {"hello": "pinned"}
    reply = host.put("/api/plugins/themes/config", json={"greeting": "other"})
    assert (reply.status, reply.json()["error"]) == (409, "CONFLICT")
    assert host.put("/api/plugins/themes/config", json={"greeting": "pinned"}).status == 200
    host.put("/api/plugins/themes/config", json={"greeting": "pinned", "count": 2})
    assert host.get("/api/plugins/themes/config/sources").json() == {
        "greeting": {"source": "file", "where": "stagebox.toml [plugins.themes]"},
        "count": {"source": "stored"},
        "password": {"source": "default"},
    }
    assert host.get("/api/plugins/nowhere/config/sources").status == 404


def test_a_plugin_without_settings_takes_none(host):
    assert host.get("/api/plugins/plugin_data/config").json() == {}
    assert host.put("/api/plugins/plugin_data/config", json={}).status == 200
    assert host.put("/api/plugins/plugin_data/config", json={"a": 1}).status == 400
    assert host.get("/api/plugins/nowhere/config").status == 404


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


def test_version(host):
    answer = host.get("/api/version").json()
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
def test_methods_and_paths(host, method, path, status, allow):
    reply = host.request(method, path)
    assert reply.status == status
    assert reply.headers.get("allow") == allow


def test_another_site_cannot_switch_plugins(host):
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        reply = host.post("/api/plugins/themes/disable", headers=headers)
        assert reply.status in (401, 403)
    assert host.get("/api/plugins/themes", headers={"Host": "evil.example"}).status == 403
    assert host.entry("themes").state == "active"


def test_an_unknown_token_is_nobody(host):
    assert host.post("/api/plugins/themes/disable", token="no-such-token").status == 401
    assert host.get("/api/plugins", token="no-such-token").status == 200


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
