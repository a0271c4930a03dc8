"""A new administrator's first day at the desk, from the first run to a restored backup."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from host.backup import restore_pending
from host.testing import TestHost

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
    with TestHost(tmp_path / "data", plugins=[write_plugin("worker", WORKER)]) as host:
        yield host


def set_up(page: Any) -> None:
    """The wizard, with what a person gets wrong at first."""
    expect(page).to_have_title("Set up · Stagebox")
    create = page.get_by_role("button", name="Create the administrator")
    create.click()
    expect(page.locator("#name")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("PIN", exact=True).fill("2718")
    page.get_by_label("PIN once more").fill("2781")
    page.get_by_label("Recovery phrase").fill("lovelace engine")
    create.click()
    expect(page.locator("#pin2-wrong")).to_have_text("The two PINs differ.")
    page.get_by_label("PIN once more").fill("2718")
    create.click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.locator("#visitor")).to_have_text("Ada")


def enable_soundboard(page: Any) -> None:
    page.get_by_role("link", name="Plugins", exact=True).click()
    row = page.locator(f'[data-id="{SOUNDBOARD}"]')
    expect(row.locator(".state")).to_have_text("disabled")
    row.get_by_role("button", name="Enable").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("example.soundboard:edit")
    expect(dialog).to_contain_text("Keeps files in the active storage")
    dialog.get_by_role("button", name="Cancel").click()
    expect(row.locator(".state")).to_have_text("disabled")
    row.get_by_role("button", name="Enable").click()
    dialog.get_by_role("button", name="Enable").click()
    expect(row.locator(".state")).to_have_text("active")


def set_settings(page: Any, host: TestHost) -> None:
    page.get_by_role("link", name="Soundboard", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Soundboard")
    favourites = page.get_by_label("Favourites per room")
    expect(favourites).to_have_value("100")
    favourites.fill("0")
    save = page.get_by_role("button", name="Save settings")
    save.click()
    expect(page.locator("#setting-maxSounds-wrong")).to_contain_text("1")
    favourites.fill("12")
    page.get_by_label("Title").fill("Horns")
    save.click()
    expect(page.locator("#said")).to_have_text("The settings are saved.")
    assert dict(host.host.settings.shown(SOUNDBOARD))["maxSounds"] == 12


def grant_permission(page: Any) -> None:
    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name="New group").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name").fill("Players")
    dialog.get_by_label("Ada").check()
    dialog.get_by_label("example.soundboard:edit").check()
    dialog.get_by_role("button", name="Save").click()
    group = page.locator("#groups li", has_text="Players")
    expect(group).to_contain_text("example.soundboard:edit")
    expect(group).to_contain_text("Ada")


def watch_job(page: Any) -> None:
    job = page.evaluate("fetch('/api/plugins/worker/go', {method: 'POST'}).then((a) => a.json())")
    page.get_by_role("link", name="Jobs").click()
    row = page.locator(f'[data-id="{job["id"]}"]')
    bar = row.get_by_role("progressbar")
    expect(bar).to_have_attribute("max", "10")
    expect(row).to_contain_text("3 of 10 · three of ten")
    row.get_by_role("button", name="Cancel").click()
    expect(row.locator(".state")).to_have_text("cancelled")
    expect(bar).to_be_hidden()


def back_up(page: Any) -> str:
    page.get_by_role("link", name="Backups").click()
    expect(page.locator("#none")).to_be_visible()
    page.get_by_role("button", name="Back up now").click()
    row = page.locator("#backups li")
    expect(row).to_have_count(1)
    expect(page.locator("#said")).to_have_text("The backup is complete.")
    return str(row.get_attribute("data-name"))


def disable_and_purge(page: Any, host: TestHost) -> None:
    page.goto(f"/admin/plugins/{SOUNDBOARD}")
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(page.locator("#state")).to_have_text("disabled")
    page.get_by_role("button", name="Purge").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 value")
    dialog.get_by_label("its settings and permissions as well").check()
    dialog.get_by_role("button", name="Purge").click()
    expect(page.locator("#said")).to_contain_text("Nothing is left")
    assert dict(host.host.settings.shown(SOUNDBOARD))["maxSounds"] == 100


def restart_in_place(host: TestHost) -> None:
    """What `stagebox serve` does when it is to start again, at the same address."""
    host._config["listen"] = [host.url.removeprefix("http://")]
    host.stop()
    outcome = restore_pending(host.host.config, {}, lambda what, done, total: None)
    assert outcome is not None
    assert outcome.succeeded, outcome.message
    host.start()


def restore(page: Any, host: TestHost, name: str, restarts: Restarts, wait_until: Any) -> None:
    page.goto("/admin/backups")
    page.get_by_role("button", name=f"Restore {name}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("is replaced")
    dialog.get_by_role("button", name="Restore and restart").click()
    wait_until(lambda: page.evaluate("true") and restarts.asked.is_set())
    expect(page.get_by_role("heading", name="Restarting")).to_be_visible()
    restart_in_place(host)
    page.wait_for_selector("#last:not([hidden])", timeout=15_000)
    expect(page.locator("#last")).to_contain_text(f"Restored: {name}")
    assert dict(host.host.settings.shown(SOUNDBOARD))["maxSounds"] == 12
    assert host.entry(SOUNDBOARD).state == "active"


def test_a_new_administrators_first_day(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    restarts = Restarts()
    host.host.provide("process", restarts)
    watched = open_page(host.url, "/admin")
    page = watched.page
    set_up(page)
    enable_soundboard(page)
    set_settings(page, host)
    grant_permission(page)
    watch_job(page)
    host.plugin(SOUNDBOARD).context.data.set("kept", 1)
    name = back_up(page)
    disable_and_purge(page, host)
    restore(page, host, name, restarts, wait_until)
    away = "net::ERR_CONNECTION_REFUSED"  # while the host was away
    assert [each for each in watched.complaints if away not in each] == []
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Name").first.fill("Ada")
    page.get_by_label("PIN", exact=True).fill("2718")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
