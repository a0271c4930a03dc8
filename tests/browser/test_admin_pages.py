"""The pages of the admin's desk, each for itself, on one host."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
    from plugin_sdk import Page, Plugin, Response, route

    class plugin(Plugin):
        def pages(self):
            return [Page("/page", "Blow the horn", "!", 5)]

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
    },
}


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
    packed = subprocess.run(
        [npm, "pack", "axe-core@4", "--silent"], cwd=folder, capture_output=True, timeout=90
    )
    if packed.returncode:
        pytest.skip(f"npm could not fetch axe-core: {packed.stderr.decode()[-200:]}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        file = tar.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()


def accessibility_problems(page: Any, axe: str) -> list[Any]:
    page.evaluate(axe)
    found = page.evaluate("axe.run().then((r) => [r.passes.length, r.violations])")
    assert found[0] > 5
    return [(each["id"], each["nodes"][0]["html"]) for each in found[1]]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_all_pages_are_accessible_and_fit(
    desk: Callable[..., Any], axe: str, scheme: str, width: int
) -> None:
    watched = desk("/admin", color_scheme=scheme, viewport={"width": width, "height": 800})
    page = watched.page
    for path in PAGES:
        page.goto(path)
        page.wait_for_selector("main:not(:has([aria-busy]))")
        assert accessibility_problems(page, axe) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert watched.complaints == []


def test_the_door_is_accessible(host: TestHost, open_page: Callable[..., Any], axe: str) -> None:
    watched = open_page(host.url, "/admin/jobs")
    page = watched.page
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert accessibility_problems(page, axe) == []
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
    assert watched.complaints == []


def test_the_settings_form_follows_the_schema(desk: Callable[..., Any], host: TestHost) -> None:
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
    save.click()
    expect(page.locator("#setting-extra-wrong")).to_have_text("This is not valid JSON.")
    page.get_by_label("Extra").fill('{"valves": 3}')
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
    desk: Callable[..., Any], host: TestHost, tmp_path: Path
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
    page.get_by_role("link", name="Kazoo").click()
    page.get_by_role("button", name="Uninstall").click()
    page.get_by_role("dialog").get_by_role("button", name="Uninstall").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Plugins")
    expect(page.locator('[data-id="kazoo"]')).to_have_count(0)
    assert watched.complaints == []
