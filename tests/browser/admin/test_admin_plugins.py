"""The pages of plugins: what is wrong with one, what it adds, how it comes and goes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from host.testing import TestHost
from tests.browser.admin.looking import (
    accessibility_problems,
)
from tests.browser.admin.sources import written

pytestmark = pytest.mark.browser


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


ASKED = """
window.asked = [];
new MutationObserver(() => {
  for (const each of document.querySelectorAll("#panels section"))
    if (each.textContent.includes("Asking…")) window.asked.push(each.ariaLabel);
}).observe(document, { childList: true, subtree: true });
"""


def test_a_panel_that_fails_or_hangs_is_alone_with_it(desk: Callable[..., Any]) -> None:
    page = desk("/admin/help").page
    page.add_init_script(ASKED)
    page.route("**/api/plugins/horn/panel", lambda route: route.fulfill(status=500, body="no"))
    page.route("**/songs/panel", lambda route: None)  # nobody answers
    page.route("**/media/panel", lambda route: route.fulfill(json=[1, 2]))
    page.goto("/admin")
    panels = page.locator("#panels")
    hung = panels.get_by_role("region", name="Songs")
    expect(panels.get_by_role("region", name="The horn")).to_contain_text("It answers 500.")
    expect(panels.get_by_role("region", name="Media")).to_contain_text("is no panel")
    expect(page.locator("#cards .card")).to_have_count(7)
    expect(page.locator("#sizes tr").nth(1)).to_be_visible()
    expect(page.locator("#trouble")).to_be_hidden()
    expect(hung).to_contain_text("has not answered for 5 seconds")
    assert any("Songs" in each for each in page.evaluate("asked"))  # before that it said so


def test_a_plugin_is_installed_and_uninstalled(
    desk: Callable[..., Any],
    host: TestHost,
    tmp_path: Path,
    axe: str,
    wait_until: Callable[..., None],
) -> None:
    source = written(tmp_path, "kazoo", "from plugin_sdk import Plugin as plugin")
    archive = Path(shutil.make_archive(str(tmp_path / "kazoo-1"), "zip", source.parent, "kazoo"))
    watched = desk("/admin/plugins")
    page = watched.page
    (tmp_path / "tune.txt").write_text("la la")
    page.get_by_label("File", exact=True).set_input_files(str(tmp_path / "tune.txt"))
    page.get_by_role("button", name="Look into it").click()
    expect(page.locator("#trouble")).to_contain_text('"tune.txt" is neither a plugin folder')
    wait_until(lambda: page.evaluate("true") and watched.complaints)
    assert "400 (Bad Request)" in watched.complaints.pop()
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


def test_a_version_that_waits_for_a_word_gets_it_here(
    desk: Callable[..., Any], host: TestHost, tmp_path: Path
) -> None:
    source = written(tmp_path, "lute", "from plugin_sdk import Plugin as plugin")
    host.host.plugins.install(source)
    host.enable("lute")
    host.disable("lute")
    manifest = host.data_dir / "plugins" / "lute" / "plugin.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "capabilities": ["http"]}))
    host.host.manager.wishes.set("lute", True)  # as if it had been on when the host stopped
    host.host.manager.follow()
    watched = desk("/admin/plugins/lute")
    page = watched.page
    expect(page.locator("#state")).to_have_text("errored")
    expect(page.locator("#fault")).to_contain_text("asks for more than was confirmed: http.")
    page.get_by_role("button", name="Confirm…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("li", has_text="Sends requests")).to_contain_text("new")
    dialog.get_by_role("button", name="Enable").click()
    expect(page.locator("#state")).to_have_text("active")
    expect(page.locator("#fault")).to_be_hidden()
    assert watched.complaints == []


def test_a_package_says_how_it_is_removed(desk: Callable[..., Any]) -> None:
    page = desk("/admin/plugins/example.soundboard").page
    expect(page.get_by_text("stagebox plugin uninstall example.soundboard")).to_be_visible()
    expect(page.get_by_role("button", name="Uninstall")).to_be_hidden()


def test_what_is_not_there_is_said_on_a_page(desk: Callable[..., Any]) -> None:
    page = desk("/admin/nothing").page
    expect(page.get_by_role("heading", level=1)).to_have_text("No such page")
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.goto("/admin/plugins/nothing")
    expect(page.locator("#about")).to_have_text(
        "There is no plugin of this id, and nothing that one kept."
    )
    expect(page.get_by_role("heading", name="What it brings")).to_be_hidden()
