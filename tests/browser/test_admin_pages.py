"""The pages of the admin's desk, each for itself, on one host."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import tarfile
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from host.testing import TestHost

pytestmark = pytest.mark.browser

PAGES = [
    *("/admin", "/admin/plugins", "/admin/plugins/horn", "/admin/plugins/broken", "/admin/jobs"),
    *("/admin/logs", "/admin/providers", "/admin/people", "/admin/audit", "/admin/backups"),
    "/admin/help",
]
HORN = """
    from plugin_sdk import PANEL, Page, Panel, Plugin, Response, route

    class plugin(Plugin):
        def pages(self):
            return [Page("/page", "Blow the horn", "!", 5), Panel("/panel", "The horn", 5)]

        @route("GET", "/panel", permission="ADMIN", returns=PANEL)
        def panel(self, request):
            return {"state": "warning", "text": "It is <b>dented</b>.",
                    "facts": [{"name": "Valves", "value": 3}],
                    "links": [{"title": "Blow", "url": "/api/plugins/horn/page"},
                              {"title": "Elsewhere", "url": "//evil.example/"}]}

        @route("GET", "/page", access="open")
        def page(self, request):
            return Response.html("<title>Horn</title>")

        @route("POST", "/complain")
        def complain(self, request):
            self.context.log.warning("The horn is dented.")
            return {}
"""
SETTINGS = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]*$", "default": "tuba", "title": "Name"},
        "loud": {"type": "boolean", "default": False},
        "pitch": {"enum": ["low", "high", None], "default": "low"},
        "weight": {"type": "number", "minimum": 0, "description": "In kilogrammes"},
        "keys": {"type": "array", "items": {"type": "string", "maxLength": 5}, "default": []},
        "extra": {"type": "object", "additionalProperties": {"type": "integer"}},
        "mouth": {"type": "object", "properties": {"width": {"type": "integer", "default": 3}}},
        "secret": {"type": "string", "writeOnly": True, "default": ""},
        "length": {"type": "integer", "default": 1},
        "case": {"enum": ["soft", "hard"]},
        "lent": {"type": "boolean"},
        "maker": {"type": "string", "default": "unknown", "description": "Who made it"},
        "sizes": {"type": "array", "items": {"type": "integer", "maximum": 9}},
        "mutes": {"type": "array", "items": {"enum": ["cup", "wah"]}, "uniqueItems": True},
        "players": {
            "type": "array",
            "title": "Players",
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": "^[A-Z]", "title": "Called"},
                    "token": {"type": "string", "writeOnly": True},
                },
            },
        },
    },
}
PINNED = '[plugins.horn]\nmaker = "Adolphe"\n'


def written(folder: Path, plugin_id: str, code: str, **manifest: Any) -> Path:
    target = folder / plugin_id
    target.mkdir(parents=True)
    document = {"id": plugin_id, "name": plugin_id.title(), "version": "1.0.0", "sdk": ">=1,<2"}
    (target / "plugin.json").write_text(json.dumps({**document, **manifest}))
    (target / "__init__.py").write_text(textwrap.dedent(code))
    return target


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    """Set up: with the administrator Ada, a plugin that works and one that does not."""
    folder = tmp_path_factory.mktemp("desk")
    horn = written(folder / "sources", "horn", HORN, settings=SETTINGS)
    broken = written(folder / "sources", "broken", "raise RuntimeError('no <b>valves</b>')")
    (folder / "data").mkdir()
    (folder / "data" / "stagebox.toml").write_text(PINNED)
    with TestHost(folder / "data", plugins=[horn, broken]) as host:
        body = {"name": "Ada", "pin": "2718", "recoveryPhrase": "lovelace"}
        assert host.post("/api/setup/init", json=body).status == 201
        yield host


@pytest.fixture(scope="module")
def token(host: TestHost) -> str:
    body = {"profileName": "Ada", "pin": "2718"}
    answer = host.post("/api/auth/login?cookie=1", json=body)
    name_and_value = answer.headers["set-cookie"].partition(";")[0]
    return str(name_and_value)


@pytest.fixture
def desk(host: TestHost, token: str, open_page: Callable[..., Any]) -> Callable[..., Any]:
    """Opens a page of the desk as Ada."""
    name, _, value = token.partition("=")
    cookie = {
        "name": name,
        "value": value,
        "domain": "127.0.0.1",
        "path": "/",
        "expires": -1,
        "httpOnly": True,
        "secure": False,
        "sameSite": "Strict",
    }
    state = {"cookies": [cookie], "origins": []}

    def open_(path: str, **options: Any) -> Any:
        watched = open_page(host.url, path, storage_state=state, **options)
        watched.page.wait_for_selector("main:not(:has([aria-busy]))")
        return watched

    return open_


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("axe-core comes from npm, which is not installed")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "pack", "axe-core@4", "--silent"]
    try:
        packed = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not fetch axe-core in a minute")
    if packed.returncode:
        pytest.skip(f"npm could not fetch axe-core: {packed.stderr.decode()[-200:]}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        file = tar.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()


CONTROLS = """() => {
  const all = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  const usable = (each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled;
  window.controls = [...document.querySelectorAll(all)].filter(usable);
  window.seen = new Set();
  addEventListener("focusin", ({ target }) => {
    if (getComputedStyle(target).outlineStyle !== "none") window.seen.add(target);
  });
  return window.controls.length;
}"""
LOST = """() => window.controls
  .filter((each) => each.isConnected && !window.seen.has(each)).map((each) => each.outerHTML)"""


def accessibility_problems(page: Any, axe: str) -> list[Any]:
    """What axe-core finds, in the scheme of the page and as to colours in the other one too."""
    page.evaluate(axe)
    found = page.evaluate("axe.run().then((r) => [r.passes.length, r.violations])")
    assert found[0] > 5
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(color_scheme="light" if dark else "dark", reduced_motion="reduce")
    colours = (
        "axe.run({ runOnly: ['color-contrast'] }).then((r) => [r.passes.length, r.violations])"
    )
    found_there = page.evaluate(colours)
    assert found_there[0] == 1 or found_there[1]
    page.emulate_media(color_scheme="dark" if dark else "light")
    return [(each["id"], each["nodes"][0]["html"]) for each in [*found[1], *found_there[1]]]


def controls_out_of_reach(page: Any) -> list[str]:
    """What no Tab leads to, or where nobody sees that it did. What a page that lives replaces
    meanwhile does not count."""
    expect(page.locator("main")).not_to_contain_text("Asking…")
    count = page.evaluate(CONTROLS)
    assert count > 3
    for _ in range(count + 10):
        page.keyboard.press("Tab")
    lost: list[str] = page.evaluate(LOST)
    return lost


def public_routes(page: Any) -> list[re.Pattern[str]]:
    """What the reference of the HTTP API documents, and the panels in the public list."""
    get = "(url) => fetch(url).then((answer) => answer.json())"
    documented = page.evaluate(get, "/api/openapi.json")["paths"]
    routes = [
        re.compile(f"{method.upper()} {re.sub(r'{[^}]+}', '[^/]+', path)}")
        for path, methods in documented.items()
        for method in methods
    ]
    panels = [
        re.compile(f"GET {re.escape(panel['url'])}")
        for plugin in page.evaluate(get, "/api/plugins")
        for panel in plugin["frontend"].get("panels", ())
    ]
    return [*routes, *panels]


def assert_strict(answer: Any) -> None:
    """The policy of a page, as the browser got it."""
    directives = dict(
        each.strip().partition(" ")[::2]
        for each in answer.header_value("content-security-policy").split(";")
    )
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    assert not [each for each in directives.values() if "unsafe" in each or "http" in each]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_all_pages_are_accessible_and_fit(
    desk: Callable[..., Any], axe: str, scheme: str, width: int
) -> None:
    watched = desk("/admin", color_scheme=scheme, viewport={"width": width, "height": 800})
    page = watched.page
    asked = set()
    page.on("request", lambda each: asked.add((each.resource_type, each.method, each.url)))
    for path in PAGES:
        assert_strict(page.goto(path))
        page.wait_for_selector("main:not(:has([aria-busy]))")
        assert accessibility_problems(page, axe) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        if width < 400:  # the same controls, and the menu
            assert controls_out_of_reach(page) == [], path
    public = public_routes(page)
    fetched = {(method, urlsplit(url).path) for kind, method, url in asked if kind == "fetch"}
    assert len(fetched) > 15
    assert [
        each for each in fetched if not any(route.fullmatch(" ".join(each)) for route in public)
    ] == []
    assert watched.complaints == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_doors_are_accessible(
    host: TestHost, open_page: Callable[..., Any], axe: str, scheme: str, width: int
) -> None:
    view = {"width": width, "height": 800}
    watched = open_page(host.url, "/", color_scheme=scheme, viewport=view)
    page = watched.page
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.route("**/api/setup/status", lambda route: route.fulfill(json={"configured": False}))
    for path, heading in (("/admin/sign-in", "Welcome"), ("/admin/setup", "Welcome")):
        assert_strict(page.goto(path))
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    assert accessibility_problems(page, axe) == []
    assert controls_out_of_reach(page) == []
    page.unroute("**/api/setup/status")
    page.goto("/admin/jobs")  # leads to the door
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert accessibility_problems(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert controls_out_of_reach(page) == []
    assert watched.complaints == []


def test_the_door_leads_back_with_keys_alone(host: TestHost, open_page: Callable[..., Any]) -> None:
    page = open_page(host.url, "/admin/jobs").page
    page.get_by_label("Name").first.focus()
    page.keyboard.type("Ada")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#trouble")).to_be_visible()
    page.get_by_label("PIN", exact=True).fill("2718")
    page.get_by_label("PIN", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()


def test_the_door_leads_nowhere_else(host: TestHost, open_page: Callable[..., Any]) -> None:
    page = open_page(host.url, "/admin/sign-in?next=//evil.example/admin").page
    page.get_by_label("Name").first.fill("Ada")
    page.get_by_label("PIN", exact=True).fill("2718")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert page.url == f"{host.url}/admin"


def test_keys_reach_the_content_the_menu_and_dialogs(desk: Callable[..., Any]) -> None:
    page = desk("/admin/plugins", viewport={"width": 390, "height": 700}).page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    menu = page.get_by_role("button", name="Menu")
    expect(page.get_by_role("navigation")).to_be_hidden()
    menu.press("Enter")
    expect(menu).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("link", name="Blow the horn")).to_be_visible()
    page.get_by_role("button", name="Disable Horn").press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("What it keeps stays")
    page.keyboard.press("Escape")
    expect(page.locator('[data-id="horn"] .state')).to_have_text("active")
    expect(page.get_by_role("button", name="Disable Horn")).to_be_focused()


def test_a_plugin_that_fails_says_why(desk: Callable[..., Any], host: TestHost) -> None:
    watched = desk("/admin/plugins/broken")
    fault = watched.page.locator("#fault")
    expect(fault).to_contain_text("no <b>valves</b>")  # as text
    expect(fault).to_contain_text(f"Incident {host.entry('broken').fault.incident}")
    expect(watched.page.locator("#state")).to_have_text("errored")
    expect(watched.page.locator("#log .record.error").first).to_be_visible()
    before = host.entry("broken").fault.incident
    watched.page.get_by_role("button", name="Try again").click()
    expect(fault).not_to_contain_text(before)
    expect(fault).to_contain_text("Incident")
    watched.page.get_by_role("link", name="Follow its log").click()
    expect(watched.page.get_by_role("combobox", name="Plugin")).to_have_value("broken")
    expect(watched.page.locator(".record.error", has_text="import").first).to_be_visible()
    assert watched.complaints == []


def test_pages_and_panels_of_plugins_are_at_hand(desk: Callable[..., Any]) -> None:
    watched = desk("/admin")
    page = watched.page
    menu = page.get_by_role("list", name="From plugins")
    for name, url in (
        ("Blow the horn", "/api/plugins/horn/page"),
        ("Media", "/media"),
        ("Songs", "/songs"),
        ("API reference", "/docs"),
    ):
        expect(menu.get_by_role("link", name=name)).to_have_attribute("href", url)
    for panel, fact in (("The horn, from Horn", "Valves"), ("Songs, from Songs", "Artists")):
        expect(page.get_by_role("region", name=panel)).to_contain_text(fact)
    horn = page.get_by_role("region", name="The horn, from Horn")
    expect(horn.locator(".state")).to_have_text("needs a look")
    expect(horn).to_contain_text("It is <b>dented</b>.")
    links = horn.get_by_role("link")
    assert [link.get_attribute("href") for link in links.all()] == [
        "/api/plugins/horn/page",
        "/admin/plugins/horn",
    ]
    page.goto("/admin/plugins/horn")
    expect(page.get_by_role("region", name="The horn, from Horn")).to_contain_text("Valves")
    assert watched.complaints == []


def test_a_panel_that_fails_or_hangs_is_alone_with_it(desk: Callable[..., Any]) -> None:
    page = desk("/admin/help").page
    page.route("**/api/plugins/horn/panel", lambda route: route.fulfill(status=500, body="no"))
    page.route("**/songs/panel", lambda route: None)  # nobody answers
    page.route("**/media/panel", lambda route: route.fulfill(json=[1, 2]))
    page.goto("/admin")
    panels = page.locator("#panels")
    hung = panels.get_by_role("region", name="Songs")
    expect(hung).to_contain_text("Asking…")  # first: for five seconds it does
    expect(panels.get_by_role("region", name="The horn")).to_contain_text("It answers 500.")
    expect(panels.get_by_role("region", name="Media")).to_contain_text("is no panel")
    expect(page.locator("#cards .card")).to_have_count(7)
    expect(page.locator("#sizes tr").nth(1)).to_be_visible()
    expect(page.locator("#trouble")).to_be_hidden()
    expect(hung).to_contain_text("has not answered for 5 seconds")


def test_a_host_that_others_reach_is_warned_of(desk: Callable[..., Any]) -> None:
    page = desk("/admin").page
    expect(page.locator("#exposed")).to_be_hidden()
    known = page.evaluate("fetch('/api/admin/overview').then((answer) => answer.json())")
    seen = {**known, "exposed": True, "listeners": ["http://192.0.2.7:8765"]}
    page.route("**/api/admin/overview", lambda route: route.fulfill(json=seen))
    page.reload()
    expect(page.locator("#exposed")).to_contain_text("Other machines can reach this host.")
    expect(page.locator("#cards")).to_contain_text("http://192.0.2.7:8765")


def test_the_settings_form_follows_the_schema(
    desk: Callable[..., Any], host: TestHost, axe: str
) -> None:
    page = desk("/admin/plugins/horn").page
    save = page.get_by_role("button", name="Save settings")
    page.get_by_label("Name", exact=True).fill("Tuba 1")
    page.get_by_label("Keys").fill("a\nfar too long\n")
    save.click()
    expect(page.locator("#setting-name-wrong")).to_contain_text("^[a-z]*$")
    expect(page.locator("#setting-keys-wrong")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.get_by_label("Name", exact=True).fill("cornet")
    page.get_by_label("Keys").fill("a\n b \n")
    page.get_by_label("Loud").check()
    page.get_by_label("Pitch").select_option(label="none")
    page.get_by_label("Weight").fill("2.5")
    page.get_by_label("Extra").fill("{oops")
    page.get_by_label("Width").fill("7")
    page.get_by_label("Secret").fill("hush")
    maker = page.get_by_label("Maker")
    expect(maker).to_be_disabled()
    expect(maker).to_have_value("Adolphe")
    expect(maker).to_have_accessible_description(re.compile(r"Pinned by stagebox\.toml \[plugins"))
    page.get_by_label("Length").fill("2")
    page.get_by_label("Sizes").fill("3\n10")
    page.get_by_label("wah").check()
    for number, name in enumerate(("Ada", "bob")):
        page.get_by_role("button", name="Add to Players").click()
        expect(page.get_by_label("Called").nth(number)).to_be_focused()
        page.keyboard.type(name)
    page.get_by_label("Token").first.fill("first")
    save.click()
    expect(page.locator("#setting-extra-wrong")).to_have_text("This is not valid JSON.")
    page.get_by_label("Extra").fill('{"valves": 3}')
    save.click()
    expect(page.locator(wrong("setting-sizes"))).to_have_text("Line 2: must be at most 9")
    expect(page.locator(wrong("setting-players.1.name"))).to_contain_text("^[A-Z]")
    expect(page.locator(wrong("setting-players.0.name"))).to_have_count(0)
    expect(page.get_by_label("Sizes")).to_be_focused()
    assert accessibility_problems(page, axe) == []
    page.get_by_label("Sizes").fill("3\n4")
    page.get_by_label("Called").nth(1).fill("Bob")
    save.click()
    expect(page.locator("#said")).to_have_text("The settings are saved.")
    values = dict(host.host.settings.values("horn"))
    assert values == {
        "name": "cornet",
        "loud": True,
        "pitch": None,
        "weight": 2.5,
        "keys": ["a", "b"],
        "extra": {"valves": 3},
        "mouth": {"width": 7},
        "secret": "hush",
        "maker": "Adolphe",
        "length": 2,
        "case": None,
        "lent": None,
        "sizes": [3, 4],
        "mutes": ["wah"],
        "players": [{"name": "Ada", "token": "first"}, {"name": "Bob"}],
    }
    page.reload()
    expect(page.get_by_label("Secret")).to_have_value("********")
    page.get_by_label("Weight").fill("")
    save.click()
    expect(page.locator("#said")).to_have_text("The settings are saved.")
    values = dict(host.host.settings.values("horn"))
    assert values["weight"] is None
    assert values["pitch"] is None
    assert values["secret"] == "hush"
    page.get_by_role("button", name="Remove Players 2").press("Enter")
    expect(page.get_by_role("button", name="Remove Players 1")).to_be_focused()
    page.get_by_label("Called").fill("Eve")
    save.click()  # whose token would that be?
    expect(page.locator(wrong("setting-players"))).to_contain_text("send the secret")
    page.get_by_label("Token").fill("hers")
    save.click()
    expect(page.locator("#said")).to_have_text("The settings are saved.")
    assert host.host.settings.values("horn")["players"] == [{"name": "Eve", "token": "hers"}]


def test_settings_that_nobody_changed_are_the_same_when_they_are_saved(
    desk: Callable[..., Any], host: TestHost
) -> None:
    page = desk("/admin/plugins").page
    for plugin_id in ("media", "accounts", "signaling_login"):
        before = dict(host.host.settings.values(plugin_id))
        page.goto(f"/admin/plugins/{plugin_id}")
        page.wait_for_selector("main:not(:has([aria-busy]))")
        page.get_by_role("button", name="Save settings").click()
        expect(page.locator("#said")).to_have_text("The settings are saved.")
        assert dict(host.host.settings.values(plugin_id)) == before
        assert set(host.host.settings.sources(plugin_id).values()) == {"default"}


def wrong(field: str) -> str:
    """The message beside a field; a dot in its name is part of that."""
    return f'[id="{field}-wrong"]'


def test_the_log_is_followed_and_filtered(desk: Callable[..., Any]) -> None:
    watched = desk("/admin/logs")
    page = watched.page
    page.get_by_role("combobox", name="Plugin").fill("horn")
    expect(page.locator(".record", has_text="valves")).to_have_count(0)
    page.evaluate("fetch('/api/plugins/horn/complain', {method: 'POST'})")
    expect(page.locator(".record.warn", has_text="The horn is dented.")).to_have_count(1)
    page.evaluate("fetch('/api/plugins/horn/complain', {method: 'POST'})")
    expect(page.locator(".record.warn", has_text="The horn is dented.")).to_have_count(2)
    page.get_by_label("Text").fill("no such thing")
    expect(page.locator(".record")).to_have_count(0)
    assert watched.complaints == []


def test_providers_are_tried_and_put_in_order(desk: Callable[..., Any]) -> None:
    watched = desk("/admin/providers")
    page = watched.page
    page.get_by_role("button", name="Test storage: local").click()
    expect(page.locator("#said")).to_contain_text("storage: local: ")
    chain = page.get_by_role("list", name="metadata").locator("h3")
    before = chain.all_inner_texts()
    assert len(before) > 2
    last = before[-1]
    page.get_by_role("button", name=f"Ask metadata: {last} earlier").click()
    after = [*before[:-2], last, before[-2]]
    expect(chain).to_have_text(after)
    page.reload()
    expect(chain).to_have_text(after)
    assert watched.complaints == []


def test_people_come_and_go(desk: Callable[..., Any]) -> None:
    page = desk("/admin/people").page
    page.get_by_role("button", name="New profile").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Ada")
    dialog.get_by_label("PIN").fill("1234")
    dialog.get_by_label("Recovery phrase").fill("jacquard")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_be_visible()  # the name is taken
    dialog.get_by_label("Name").fill("Joseph")
    dialog.get_by_role("button", name="Save").click()
    row = page.locator("#profiles li", has_text="Joseph")
    row.get_by_role("button", name="Lock").click()
    expect(row.locator(".state")).to_have_text("locked")
    row.get_by_role("button", name="Unlock").click()
    expect(row.locator(".state")).to_have_count(0)
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    page.goto("/admin/audit")
    expect(page.locator("#entries tr").first).to_contain_text("DELETE /api/profiles/")
    expect(page.locator("#entries tr").first).to_contain_text("Ada")


def test_a_backup_is_downloaded_deleted_and_brought_back(
    desk: Callable[..., Any], tmp_path: Path
) -> None:
    watched = desk("/admin/backups")
    page = watched.page
    page.get_by_role("button", name="Back up now").click()
    rows = page.locator("#backups li")
    expect(rows).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert zipfile.is_zipfile(file)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(0)
    page.get_by_label("File").set_input_files(str(file))
    page.get_by_role("button", name="Upload").click()
    expect(rows).to_have_count(1)
    assert watched.complaints == []


def test_diagnostics_are_downloaded(desk: Callable[..., Any]) -> None:
    watched = desk("/admin/help")
    page = watched.page
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    content = Path(download.value.path()).read_bytes()
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    assert watched.complaints == []


def test_a_plugin_is_installed_and_uninstalled(
    desk: Callable[..., Any], host: TestHost, tmp_path: Path, axe: str
) -> None:
    source = written(tmp_path, "kazoo", "from plugin_sdk import Plugin as plugin")
    archive = Path(shutil.make_archive(str(tmp_path / "kazoo-1"), "zip", source.parent, "kazoo"))
    watched = desk("/admin/plugins")
    page = watched.page
    page.get_by_label("File", exact=True).set_input_files(str(archive))
    page.get_by_role("button", name="Look into it").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("can do whatever the host's process may")
    dialog.get_by_role("button", name="Install").click()
    expect(page.locator('[data-id="kazoo"] .state')).to_have_text("disabled")
    host.enable("kazoo")
    host.disable("kazoo")
    manifest = host.data_dir / "plugins" / "kazoo" / "plugin.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "capabilities": ["http"]}))
    page.reload()
    expect(page.locator('[data-id="kazoo"] .warning')).to_contain_text("http")
    page.get_by_role("button", name="Enable Kazoo").click()
    expect(dialog).to_contain_text("asks for more than was confirmed before: http")
    expect(dialog.locator("li", has_text="Sends requests")).to_contain_text("new")
    assert accessibility_problems(page, axe) == []
    dialog.get_by_role("button", name="Enable").click()
    expect(page.locator('[data-id="kazoo"] .state')).to_have_text("active")
    expect(page.locator('[data-id="kazoo"] .warning')).to_have_count(0)
    page.get_by_role("link", name="Kazoo").click()
    page.get_by_role("button", name="Uninstall").click()
    expect(page.get_by_role("dialog").get_by_role("row", name="Its code")).to_be_visible()
    assert accessibility_problems(page, axe) == []
    page.get_by_role("dialog").get_by_role("button", name="Uninstall").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Plugins")
    expect(page.locator('[data-id="kazoo"]')).to_have_count(0)
    assert watched.complaints == []
