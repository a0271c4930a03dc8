"""/docusaurus: our own pages, and a folder of somebody else's."""

from __future__ import annotations

import json
import os
import re
import socket
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from builtin_plugins.api_docs.site.markdown import Renderer
from builtin_plugins.api_docs.site.pages import Pages
from builtin_plugins.api_docs.site.paths import candidates, is_safe

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:"
)
SHIPPED = [
    "", "guide/install", "guide/admin", "guide/plugins", "api/local-rest", "api/drops",
    "api/open-groups", "api/songs", "api/media",
]  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped(pages_host: Any, name: str) -> None:
    answer = pages_host.get("/docusaurus/" + name)
    page = answer.content.decode()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == POLICY
    (title,) = re.findall(r"<title>(.*?)</title>", page)
    assert "Stagebox" in title
    (own,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="(.*?)">', page)
    assert "script-src 'self'; style-src 'self'; " in own  # beside the header's, and stricter
    assert "unsafe" not in own
    outside = re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", outside)
    assert page.count("<h1") == 1
    if name:
        for other in (f"{name}/", f"{name}.html"):
            assert pages_host.get("/docusaurus/" + other).content == answer.content


def test_the_api_pages_name_their_routes(pages_host: Any) -> None:
    def text(name: str) -> str:
        page: str = pages_host.get(f"/docusaurus/api/{name}").content.decode()
        return unescape(re.sub(r"<[^>]*>", "", page))

    local = text("local-rest")
    for word in ("/api/rooms", "sinceTimestamp", "LAN_DISABLED", "rooms import", "pluginData"):
        assert word in local
    assert "compact_poll" in text("open-groups")
    assert "/settings" in text("drops")
    assert "/api/library" in text("songs")
    assert "/api/v1/scan/path" in text("media")


def test_every_link_leads_somewhere(pages_host: Any) -> None:
    """From the front page on, everything that a page names is there, fragments too."""
    seen: dict[str, str] = {}
    waiting = ["/docusaurus/"]
    fragments: set[tuple[str, str]] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        answer = pages_host.get(path)
        assert answer.status in (200, 302), path
        html = answer.headers.get("content-type", "").startswith("text/html")
        page = seen[path] = answer.content.decode() if html else ""
        if not path.startswith("/docusaurus"):
            continue
        linked = re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)  # code may show HTML
        for name, target in re.findall(r'\b(href|src)="([^"]*)"', linked):
            target = unescape(target)
            if target.startswith("data:"):
                continue
            parts = urlsplit(urljoin(path, target))
            if parts.scheme or parts.netloc:
                assert name == "href", f"{path} loads {target}"
                continue
            waiting.append(parts.path)
            if parts.fragment:
                fragments.add((parts.path, unquote(parts.fragment)))
    assert len(seen) > 12
    for path, fragment in fragments:
        assert f'id="{fragment}"' in unescape(seen[path]), f"{path}#{fragment}"


def test_files_of_the_site(pages_host: Any) -> None:
    answer = pages_host.get("/docusaurus/assets/search.json")
    index = json.loads(answer.content)
    assert any("clamped" in entry["text"] for entry in index)
    tag = answer.headers["etag"]
    assert (
        pages_host.get("/docusaurus/assets/search.json", headers={"If-None-Match": tag}).status
        == 304
    )
    part = pages_host.get("/docusaurus/assets/site.css", headers={"Range": "bytes=0-9"})
    assert (part.status, len(part.content)) == (206, 10)
    head = pages_host.head("/docusaurus/assets/site.js")
    assert head.headers["content-type"] == "text/javascript; charset=utf-8"
    assert int(head.headers["content-length"]) > 1000


def test_what_is_not_there(pages_host: Any) -> None:
    answer = pages_host.get("/docusaurus")
    assert (answer.status, answer.headers["location"]) == (302, "/docusaurus/")
    for path in ("x", "guide/x", "guide", "assets", "assets/", "guide/plugins.md"):
        answer = pages_host.get("/docusaurus/" + path)
        assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "Stagebox" in answer.content.decode()


def test_the_switch(pages_host: Any) -> None:
    pages_host.host.settings.update("api_docs", {"docusaurus": False})
    for path in ("/docusaurus", "/docusaurus/", "/docusaurus/guide/plugins"):
        assert pages_host.get(path).json()["error"] == "NOT_FOUND"
        assert pages_host.post(path).status == 404


def raw(url: str, path: str) -> int:
    """The status of a path as it is written, which no client has tidied up."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        with connection.makefile("rb") as stream:
            return int(stream.readline().split()[1])


TRICKS = [
    "../secret.txt", "a/../../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt",
    "%2e%2e%2fsecret.txt", "..%5csecret.txt", "a//b.html", "//index.html", ".hidden", ".git/x",
    "a/.hidden", "%2ehidden", "a/./b.html", "b%00.html", "out", "out.txt", "linked/secret.txt",
    "a%2f%2fb.html", "a\\b.html", "%ff",
]  # fmt: skip


@pytest.fixture
def foreign(tmp_path: Path, pages_host: Any) -> Path:
    root = tmp_path / "site"
    (root / "a" / "deep").mkdir(parents=True)
    (root / ".git").mkdir()
    (tmp_path / "outside").mkdir()
    for name, text in {
        "index.html": "front", "a/index.html": "a's index", "a/b.html": "b", "a.html": "a",
        "plain.html": "plain", "x.unknown": "?", "page.webp": "w", "data.xml": "<x/>",
        ".hidden": "hidden", ".git/x": "hidden", "a/.hidden": "hidden",
    }.items():  # fmt: skip
        (root / name).write_text(text)
    for name in ("secret.txt", "outside/secret.txt"):
        (tmp_path / name).write_text("secret")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "inner.html").symlink_to(root / "plain.html")
    pages_host.host.settings.update("api_docs", {"docusaurusDir": str(root)})
    return root


def test_a_foreign_folder(foreign: Path, pages_host: Any) -> None:
    def text(path: str) -> str:
        answer = pages_host.get("/docusaurus/" + path)
        assert answer.status == 200, path
        assert answer.headers["content-security-policy"] == POLICY
        return str(answer.content.decode())

    expected = {
        "": "front", "index.html": "front", "a": "a's index", "a/": "a's index", "a/b": "b",
        "a/b/": "b", "plain": "plain", "plain.html": "plain", "inner": "plain",
    }  # fmt: skip
    assert {path: text(path) for path in expected} == expected
    types = {"x.unknown": "application/octet-stream", "page.webp": "image/webp",
             "data.xml": "application/xml"}  # fmt: skip
    for path, kind in types.items():
        assert pages_host.get("/docusaurus/" + path).headers["content-type"] == kind
    for path in ("plain.html/", "a/deep", "a/deep/", "none"):
        answer = pages_host.get("/docusaurus/" + path)
        assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    (foreign / "404.html").write_text("<title>lost</title>")
    lost = pages_host.get("/docusaurus/none")
    assert (lost.status, lost.content) == (404, b"<title>lost</title>")
    tag = pages_host.get("/docusaurus/plain").headers["etag"]
    assert pages_host.get("/docusaurus/plain", headers={"If-None-Match": tag}).status == 304


@pytest.mark.parametrize("path", TRICKS)
def test_nothing_leads_out(foreign: Path, pages_host: Any, path: str) -> None:
    assert foreign.is_dir()
    assert raw(pages_host.url, "/docusaurus/" + path) == 404


def test_a_folder_that_is_none(pages_host: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "none", tmp_path / "file"):
        pages_host.host.settings.update("api_docs", {"docusaurusDir": str(place)})
        answer = pages_host.get("/docusaurus/")
        assert (answer.status, answer.json()["error"]) == (404, "DOCS_NOT_BUILT")


def test_a_root_that_is_a_link_may_be_served(pages_host: Any, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "index.html").write_text("here")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    pages_host.host.settings.update("api_docs", {"docusaurusDir": str(tmp_path / "link")})
    assert pages_host.get("/docusaurus/").content == b"here"


def test_pages_follow_their_sources(tmp_path: Path) -> None:
    source = tmp_path / "index.md"
    source.write_text("# One\n\n[two](guide/two.md#part) [lost](lost.md) ![x](https://x.example/y)")
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide" / "two.md").write_text("# Two\n\n## Part\n\n[up](../index.md) <b>raw</b>")
    pages = Pages(tmp_path)
    name, content = pages.find("") or ("", b"")
    assert name == "index.html"
    assert b'href="/docusaurus/guide/two#part"' in content
    assert b"<span>lost</span>" in content
    assert b"x.example" not in content
    assert pages.broken() == ("index: lost.md", "index: https://x.example/y")
    two = (pages.find("guide/two") or ("", b""))[1]
    assert b'href="/docusaurus/"' in two
    assert b"&lt;b&gt;raw" in two
    assert b'aria-current="page"' in two
    source.write_text("# Changed\n")
    os.utime(source, (1, 1))
    assert b"Changed" in (pages.find("") or ("", b""))[1]


def test_our_own_pages_have_no_broken_links() -> None:
    """What leads to files of the repository, outside of the site, is shown as text there."""
    docs = Path(__file__).parents[3] / "docs"
    for broken in Pages(docs).broken():
        page, _, target = broken.partition(": ")
        assert (docs / f"{page}.md").parent.joinpath(target.partition("#")[0]).exists(), broken


def test_without_sources_there_is_a_page() -> None:
    assert Pages(None).find("") is not None


def test_headings_have_anchors_of_their_own() -> None:
    text = "# A\n\ntop\n\n## B c\n\none `two`\n\n```python\nx = 1\n```\n\n## B c\n\n## Ä/ö!"
    rendered = Renderer().render(text, lambda _target: None)
    assert [each.anchor for each in rendered.headings] == ["a", "b-c", "b-c-1", "äö"]
    assert rendered.headings[1].text == "one two x = 1"
    assert '<span class="n">x</span>' in rendered.html


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("", ["index.html"]),
        ("a", ["a", "a/index.html", "a.html"]),
        ("a/", ["a/index.html", "a.html"]),
    ],
)
def test_candidates(path: str, names: list[str]) -> None:
    assert is_safe(path)
    assert list(candidates(path)) == names


@pytest.mark.parametrize(
    "path", ["/", "//", "a//", "a//b", "..", ".a", "a/..", "a\\b", "a\0", "a\n"]
)
def test_unsafe_paths(path: str) -> None:
    assert not is_safe(path)
