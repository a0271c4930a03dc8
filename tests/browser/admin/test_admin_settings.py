"""The form that is made from a schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from host.testing import TestHost
from tests.browser.admin.looking import (
    accessibility_problems,
)

pytestmark = pytest.mark.browser


def wrong(field: str) -> str:
    """The message beside a field; a dot in its name is part of that."""
    return f'[id="{field}-wrong"]'


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
