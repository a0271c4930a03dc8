"""A new administrator's first day at the desk, from the first run to a restored backup: on a phone,
in the dark, with nothing but a keyboard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from host.backup import restore_pending
from host.testing import TestHost
from tests.ports import free_ports

pytestmark = pytest.mark.browser

SOUNDBOARD = "example.soundboard"
WORKER = """
    from plugin_sdk import Plugin, job, route

    class plugin(Plugin):
        @route("POST", "/go")
        def go(self, request):
            return {"id": self.context.jobs.start("count").id}

        @job("count")
        def count(self, run):
            run.progress(3, 10, "three of ten")
            while not run.cancelled:
                run.sleep(0.05)
"""


class Restarts:
    """The service ``host.process`` of a host that runs inside of a test, which does the work."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def restart(self) -> None:
        self.asked.set()


@pytest.fixture
def host(tmp_path: Path, write_plugin: Callable[..., Path]) -> Iterator[TestHost]:
    # An address that is still its own when it starts again.
    config = {"listen": [f"127.0.0.1:{free_ports(1)[0]}"]}
    plugins = [write_plugin("worker", WORKER)]
    with TestHost(tmp_path / "data", plugins=plugins, config=config) as host:
        yield host


def reach(target: Any) -> Any:
    """Goes there by Tab, as far as it takes."""
    expect(target).to_be_visible()
    for _ in range(300):
        if target.evaluate("(element) => element === document.activeElement"):
            return target.page.keyboard
        target.page.keyboard.press("Tab")
    raise AssertionError(f"no key leads to {target}")


def press(target: Any, key: str = "Enter") -> None:
    reach(target).press(key)


def write(target: Any, text: str) -> None:
    keyboard = reach(target)
    keyboard.press("Control+A")
    keyboard.type(text)


def go(page: Any, title: str) -> None:
    press(page.get_by_role("button", name="Menu"))
    press(page.get_by_role("link", name=title, exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.wait_for_selector("main:not(:has([aria-busy]))")


def set_up(page: Any) -> None:
    """The wizard, with what a person gets wrong at first."""
    expect(page).to_have_title("Set up · Stagebox")
    page.wait_for_selector("form#setup[data-listens]")
    create = page.get_by_role("button", name="Create the administrator")
    press(create)
    expect(page.locator("#name")).to_have_attribute("aria-invalid", "true")
    write(page.get_by_label("Your name"), "Ada")
    write(page.get_by_label("PIN", exact=True), "2718")
    write(page.get_by_label("PIN once more"), "2781")
    write(page.get_by_label("Recovery phrase"), "lovelace engine")
    press(create)
    expect(page.locator("#pin2-wrong")).to_have_text("The two PINs differ.")
    write(page.get_by_label("PIN once more"), "2718")
    press(create)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.locator("#visitor")).to_have_text("Ada")


def enable_soundboard(page: Any) -> None:
    go(page, "Plugins")
    row = page.locator(f'[data-id="{SOUNDBOARD}"]')
    expect(row.locator(".state")).to_have_text("disabled")
    press(row.get_by_role("button", name="Enable"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("example.soundboard:edit")
    expect(dialog).to_contain_text("Keeps files in the active storage")
    press(dialog.get_by_role("button", name="Cancel"))
    expect(row.locator(".state")).to_have_text("disabled")
    press(row.get_by_role("button", name="Enable"))
    press(dialog.get_by_role("button", name="Enable"))
    expect(row.locator(".state")).to_have_text("active")


def set_settings(page: Any, host: TestHost) -> None:
    press(page.get_by_role("link", name="Soundboard", exact=True).first)
    expect(page.get_by_role("heading", level=1)).to_have_text("Soundboard")
    favourites = page.get_by_label("Favourites per room")
    expect(favourites).to_have_value("100")
    write(favourites, "0")
    save = page.get_by_role("button", name="Save settings")
    press(save)
    expect(page.locator("#setting-maxSounds-wrong")).to_contain_text("1")
    write(favourites, "12")
    write(page.get_by_label("Title"), "Horns")
    press(save)
    expect(page.locator("#said")).to_have_text("The settings are saved.")
    assert dict(host.host.settings.shown(SOUNDBOARD))["maxSounds"] == 12


def grant_permission(page: Any) -> None:
    go(page, "People")
    press(page.get_by_role("button", name="New group"))
    dialog = page.get_by_role("dialog")
    write(dialog.get_by_role("textbox", name="Name"), "Players")
    press(dialog.get_by_label("Ada"), "Space")
    press(dialog.get_by_label("example.soundboard:edit"), "Space")
    press(dialog.get_by_role("button", name="Save"))
    group = page.locator("#groups li", has_text="Players")
    expect(group).to_contain_text("example.soundboard:edit")
    expect(group).to_contain_text("Ada")


def watch_job(page: Any) -> None:
    job = page.evaluate("fetch('/api/plugins/worker/go', {method: 'POST'}).then((a) => a.json())")
    go(page, "Jobs")
    row = page.locator(f'[data-id="{job["id"]}"]')
    bar = row.get_by_role("progressbar")
    expect(bar).to_have_attribute("max", "10")
    expect(row).to_contain_text("3 of 10 · three of ten")
    press(row.get_by_role("button", name="Cancel"))
    expect(row.locator(".state")).to_have_text("cancelled")
    expect(bar).to_be_hidden()


def back_up(page: Any) -> str:
    go(page, "Backups")
    expect(page.locator("#none")).to_be_visible()
    press(page.get_by_role("button", name="Back up now"))
    row = page.locator("#backups li")
    expect(row).to_have_count(1)
    expect(page.locator("#said")).to_have_text("The backup is complete.")
    return str(row.get_attribute("data-name"))


def disable_and_purge(page: Any, host: TestHost) -> None:
    page.goto(f"/admin/plugins/{SOUNDBOARD}")
    press(page.get_by_role("button", name="Disable"))
    press(page.get_by_role("dialog").get_by_role("button", name="Disable"))
    expect(page.locator("#state")).to_have_text("disabled")
    press(page.get_by_role("button", name="Purge"))
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name="Keys and values 1")).to_be_visible()
    expect(dialog.get_by_role("row", name="Settings 2")).to_be_visible()
    everything = dialog.get_by_label("everything that it keeps")
    press(everything, "ArrowDown")
    values = dialog.get_by_label("only its keys and values: 1 value")
    expect(values).to_be_checked()
    values.press("ArrowUp")
    expect(everything).to_be_checked()
    press(dialog.get_by_role("button", name="Purge"))
    expect(page.locator("#said")).to_contain_text("Nothing is left")
    assert dict(host.host.settings.shown(SOUNDBOARD))["maxSounds"] == 100


def restart_in_place(host: TestHost) -> None:
    """What `stagebox serve` does when it is to start again, at the same address."""
    host.stop()
    outcome = restore_pending(host.host.config, {}, lambda what, done, total: None)
    assert outcome is not None
    assert outcome.succeeded, outcome.message
    host.start()


def restore(page: Any, host: TestHost, name: str, restarts: Restarts, wait_until: Any) -> None:
    page.goto("/admin/backups")
    press(page.get_by_role("button", name=f"Restore {name}"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("is replaced")
    press(dialog.get_by_role("button", name="Restore and restart"))
    wait_until(lambda: page.evaluate("true") and restarts.asked.is_set())
    expect(page.get_by_role("heading", name="Restarting")).to_be_visible()
    restart_in_place(host)
    page.wait_for_selector("#last:not([hidden])", timeout=60_000)
    expect(page.locator("#last")).to_contain_text(f"Restored: {name}")
    assert dict(host.host.settings.shown(SOUNDBOARD))["maxSounds"] == 12
    assert host.entry(SOUNDBOARD).state == "active"


def test_a_new_administrators_first_day(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    restarts = Restarts()
    host.host.provide("process", restarts)
    watched = open_page(
        host.url, "/admin", viewport={"width": 390, "height": 800}, color_scheme="dark"
    )
    page = watched.page
    set_up(page)
    enable_soundboard(page)
    set_settings(page, host)
    grant_permission(page)
    watch_job(page)
    host.plugin(SOUNDBOARD).context.data.set("kept", 1)
    name = back_up(page)
    disable_and_purge(page, host)
    assert watched.complaints == []
    restore(page, host, name, restarts, wait_until)
    away = ("net::ERR_", "WebSocket connection to")  # while the host was
    strange = [each for each in watched.complaints if not any(word in each for word in away)]
    assert strange == []
    press(page.get_by_role("button", name="Sign out"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.wait_for_selector("form#sign-in[data-listens]")
    write(page.get_by_label("Name").first, "Ada")
    write(page.get_by_label("PIN", exact=True), "2718")
    press(page.get_by_role("button", name="Sign in"))
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
