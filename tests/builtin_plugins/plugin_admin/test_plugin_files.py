"""Files that a plugin gives away, and its settings page (plugin contract, 10.5 and 10.6)."""

from __future__ import annotations

import pytest


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
def test_files_that_are_given_away(shared, path, content_type):
    reply = shared.get(f"/api/plugins/themes/file/{path}")
    assert (reply.status, reply.headers["content-type"]) == (200, content_type)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-cache"
    sandboxed = reply.headers.get("content-security-policy") == "sandbox allow-scripts allow-forms"
    assert sandboxed == path.endswith((".html", ".svg"))
    etag = reply.headers["etag"]
    assert etag.startswith('"')
    again = shared.get(f"/api/plugins/themes/file/{path}", headers={"If-None-Match": etag})
    assert (again.status, again.content) == (304, b"")
    part = shared.get(f"/api/plugins/themes/file/{path}", headers={"Range": "bytes=0-1"})
    assert (part.status, part.content) == (206, reply.content[:2])
    forever = shared.get(f"/api/plugins/themes/file/{path}?v=1.2.0")
    assert forever.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert shared.get(f"/api/plugins/themes/file/{path}?v=1").headers["cache-control"] == "no-cache"
    head = shared.head(f"/api/plugins/themes/file/{path}")
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
        "static/a%C2%85b.css",
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
def test_files_that_are_not(shared, path):
    reply = shared.get(f"/api/plugins/themes/file/{path}")
    assert reply.status == 404
    assert reply.json()["error"] == "NOT_FOUND"


def test_settings_html_is_sandboxed(shared):
    reply = shared.get("/api/plugins/themes/settings")
    assert reply.content.decode() == "<form>…</form>"
    assert reply.headers["content-security-policy"] == "sandbox allow-scripts allow-forms"
    assert reply.headers["cache-control"] == "no-cache"
    assert shared.get("/api/plugins/realtime/settings").status == 404
