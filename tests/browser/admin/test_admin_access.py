"""The desk for everybody: any colours, any width, keys alone, and nothing but the public API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from host.testing import TestHost
from tests.browser.admin.looking import (
    accessibility_problems,
    assert_strict,
    controls_out_of_reach,
    public_routes,
)

pytestmark = pytest.mark.browser


PAGES = [
    *("/admin", "/admin/plugins", "/admin/plugins/horn", "/admin/plugins/broken", "/admin/jobs"),
    *("/admin/logs", "/admin/providers", "/admin/people", "/admin/audit", "/admin/backups"),
    "/admin/help",
]


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
    page = open_page(host.url, "/admin/jobs?plugin=horn").page
    page.wait_for_selector("form#sign-in[data-listens]")
    page.get_by_label("Name").first.focus()
    page.keyboard.type("Ada")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#trouble")).to_be_visible()
    page.get_by_label("PIN", exact=True).fill("2718")
    page.get_by_label("PIN", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    assert page.url == f"{host.url}/admin/jobs?plugin=horn"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("//evil.example/admin", "/admin"), ("/%5Cevil.example", "/admin"), ("/songs", "/songs")],
)
def test_the_door_leads_nowhere_else(
    host: TestHost, open_page: Callable[..., Any], wanted: str, found: str
) -> None:
    page = open_page(host.url, f"/admin/sign-in?next={wanted}").page
    page.wait_for_selector("form#sign-in[data-listens]")
    page.get_by_label("Name").first.fill("Ada")
    page.get_by_label("PIN", exact=True).fill("2718")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{host.url}{found}")


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
