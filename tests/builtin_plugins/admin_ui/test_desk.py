"""The pages of the desk as the server renders them: who sees what, and under which policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

import builtin_plugins.admin_ui as admin_ui
from builtin_plugins.admin_ui.desk import DESK
from host.testing import TestHost
from plugin_sdk import PANEL
from plugin_sdk.testing import FakeContext, PluginSuite

FOLDER = Path(admin_ui.__file__).parent
PIN = "2718"


class TestTheDeskIsSound(PluginSuite):
    plugin = "builtin_plugins.admin_ui:plugin"

    def prepare(self, context: FakeContext) -> None:
        context.services.add("host.plugins", object())


@pytest.fixture(scope="module")
def bundled() -> None:
    """All of them: the desk is about what others bring."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    with TestHost(tmp_path_factory.mktemp("desk") / "data") as host:
        yield host


@pytest.fixture(scope="module")
def people(host: TestHost) -> dict[str, str]:
    """Cookies: of Ada, who administers; of Bob, who manages profiles; of Eve, who may nothing."""
    first = {"name": "<Ada>", "pin": PIN, "recoveryPhrase": "lovelace"}
    location = host.get("/admin").headers["location"]
    assert location == "/admin/sign-in?next=/admin"  # the local administrator has no session yet
    host.post("/api/setup/init", json=first)
    cookies = {"Ada": sign_in(host, "<Ada>")}
    for name in ("Bob", "Eve"):
        body = {**first, "name": name}
        made = host.request("POST", "/api/profiles", json=body, headers=of(host, cookies["Ada"]))
        assert made.status == 201, made.content
        cookies[name] = sign_in(host, name)
        if name == "Bob":
            group = {
                "name": "Hosts",
                "profileIds": [made.json()["id"]],
                "permissions": ["MANAGE_PROFILES"],
            }
            path = "/api/admin/permission-groups"
            answer = host.request("POST", path, json=group, headers=of(host, cookies["Ada"]))
            assert answer.status == 201
    return cookies


def sign_in(host: TestHost, name: str) -> str:
    answer = host.post("/api/auth/login?cookie=1", json={"profileName": name, "pin": PIN})
    return answer.headers["set-cookie"].partition(";")[0]


def of(host: TestHost, cookie: str) -> dict[str, str]:
    return {"Cookie": cookie, "Origin": host.url}


def text(host: TestHost, path: str, cookie: str) -> str:
    return host.get(path, headers=of(host, cookie)).content.decode()


class Tags(HTMLParser):
    """What a page's tags are, and what stands inline."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes.get(attribute) for name, attributes in self.tags if name == tag]


def pages_offered(html: str) -> list[str]:
    nav = html[html.index("<nav") : html.index("</nav>")]
    return [str(link) for link in Tags(nav).all("a", "href")]


@pytest.mark.parametrize("page", [page.path for page in DESK if page.listed])
def test_every_page_is_rendered_under_a_strict_policy(host, people, page):
    answer = host.get(page, headers=of(host, people["Ada"]))
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    html = answer.content.decode()
    assert "<Ada>" not in html
    assert "&lt;Ada&gt;" in html
    found = Tags(html)
    assert [name for name in ("style", "iframe", "object") if found.all(name, "x")] == []
    for name, attributes in found.tags:
        assert "style" not in attributes, name
        assert not [key for key in attributes if key.startswith("on")], name
    for source in [*found.all("script", "src"), *found.all("link", "href")]:
        assert source is not None
        if source != "data:,":
            assert host.get(source).status == 200, source


def test_strangers_are_led_to_the_door_and_back(host, people):
    for page in ("/admin", "/admin/", "/admin/jobs", "/admin/plugins/songs"):
        answer = host.get(page, headers={"Cookie": "stagebox_session=nobody"})
        assert answer.status == 303, page
        assert answer.headers["location"].startswith("/admin/sign-in?next=/admin")
    assert host.get("/admin/sign-in").status == 200
    assert host.get("/admin/setup").status == 200


def test_the_bare_address_leads_to_the_desk(host, people):
    answer = host.get("/")
    assert (answer.status, answer.headers["location"]) == (303, "/admin")
    host.disable("admin_ui")
    assert host.get("/").status == 404
    host.enable("admin_ui")
    assert host.get("/").status == 303
    assert host.get("/nothing").status == 404


def test_what_the_desk_shows_of_others_is_in_the_public_list(host, people):
    answer = host.get("/api/plugins", headers=of(host, people["Ada"]))
    entries = {entry["id"]: entry for entry in answer.json()}
    desk = entries["admin_ui"]
    assert desk["routes"] == {"prefix": "/admin", "paths": ["/admin", "/"]}
    assert desk["frontend"]["pages"] == [
        {"path": "/admin", "title": "Administration", "icon": "🛠", "order": 0, "url": "/admin"}
    ]
    assert "panels" not in desk["frontend"]
    urls = [page["url"] for entry in entries.values() for page in entry["frontend"]["pages"]]
    assert set(pages_offered(text(host, "/admin", people["Ada"]))) >= {*urls, "/songs", "/media"}


@pytest.mark.parametrize("plugin_id", ["songs", "media"])
def test_panels_of_bundled_plugins_say_what_a_panel_may_say(host, people, plugin_id):
    (panel,) = host.get(f"/api/plugins/{plugin_id}").json()["frontend"]["panels"]
    answer = host.get(panel["url"], headers=of(host, people["Ada"]))
    validate(answer.json(), PANEL)
    assert answer.json()["facts"]
    assert host.get(panel["url"], headers=of(host, people["Eve"])).status == 403


def test_everybody_sees_the_pages_that_they_may_open(host, people):
    everything = pages_offered(text(host, "/admin", people["Ada"]))
    assert {"/admin", "/admin/jobs", "/admin/backups"} <= set(everything)
    first = host.get("/admin", headers=of(host, people["Bob"]))
    assert (first.status, first.headers["location"]) == (303, "/admin/people")
    offered = pages_offered(text(host, "/admin/people", people["Bob"]))
    assert [link for link in offered if link.startswith("/admin")] == [
        "/admin/people",
        "/admin/help",
    ]
    refused = host.get("/admin/jobs", headers=of(host, people["Bob"]))
    assert refused.status == 403
    assert "It needs ADMIN" in refused.content.decode()
    nothing = host.get("/admin", headers=of(host, people["Eve"]))
    assert nothing.status == 403


def test_pages_of_plugins_are_listed_while_they_are_active(host, people):
    def listed() -> list[str]:
        return pages_offered(text(host, "/admin", people["Ada"]))

    assert listed().count("/admin") == 1  # not among the pages of plugins as well
    assert [page.title for page in host.entry("admin_ui").pages] == ["Administration"]
    assert "/docs" in listed()
    host.disable("api_docs")
    assert "/docs" not in listed()
    host.enable("api_docs")
    assert "/docs" in listed()


@pytest.mark.parametrize(
    "name", ["desk.html", "..%2Fdesk.py", "..%2Fplugin.json", "%2Fetc%2Fpasswd", "none.js", "."]
)
def test_only_the_files_of_the_pages_are_served(host, name):
    assert host.get(f"/admin/static/{name}").status == 404


def test_what_is_no_page_is_not_found(host, people):
    for path in ("/admin/plugin", "/admin/base", "/admin/nothing"):
        assert host.get(path, headers=of(host, people["Ada"])).status == 404, path


def test_an_id_in_the_address_is_text(host, people):
    answer = host.get("/admin/plugins/%22%3E%3Cb%3E", headers=of(host, people["Ada"]))
    assert answer.status == 200
    assert 'data-id="&#34;&gt;&lt;b&gt;"' in answer.content.decode()


def test_scripts_write_no_markup_and_ask_nobody_else():
    for script in sorted((FOLDER / "static").glob("*.js")):
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert not re.search(r"fetch\([\"'`]https?:", text), script.name
        for imported in re.findall(r'from "\./([\w-]+\.js)"', text):
            assert (FOLDER / "static" / imported).is_file(), (script.name, imported)


@pytest.mark.parametrize("page", ["sign-in", "setup", "plugin", "people"])
def test_no_form_puts_a_secret_into_an_address(page: str) -> None:
    """Whoever submits before the page's script runs has the browser send it: by POST."""
    forms = re.findall(r"<form\b[^>]*>", (FOLDER / "templates" / f"{page}.html").read_text())
    assert forms
    assert all('method="post"' in form for form in forms)
