"""The documentation as people read it: the reference, the media API, and the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import TimeoutError as TooLate

from host.testing import TestHost

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    with TestHost(tmp_path_factory.mktemp("documentation") / "data") as host:
        yield host


def shows(page: Any, text: str) -> Callable[[], bool]:
    return lambda: bool(page.evaluate("text => document.body.innerText.includes(text)", text))


def test_the_reference_shows_the_routes(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    watched = open_page(host.url, "/docs")
    page = watched.page
    wait_until(shows(page, "Stagebox API"), seconds=60)
    wait_until(shows(page, "/api/admin"), seconds=60)
    for _ in range(10):  # its keys are heard once all of it is at work
        page.keyboard.press("Control+k")
        try:
            page.wait_for_function("document.activeElement.tagName === 'INPUT'", timeout=5000)
            break
        except TooLate:
            continue
    assert page.evaluate("document.activeElement.tagName === 'INPUT'")
    page.keyboard.type("health")
    wait_until(shows(page, "/api/health"))
    assert watched.complaints == []


def test_the_media_api_in_swagger_ui(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    watched = open_page(host.url, "/api/docs")
    page = watched.page
    wait_until(shows(page, "Stagebox Media API"), seconds=60)
    wait_until(lambda: page.evaluate("!!document.querySelector('.opblock')"))
    operation = page.locator(".opblock-summary-control", has_text="/health").first
    operation.focus()
    page.keyboard.press("Enter")
    wait_until(shows(page, "Try it out"))
    page.get_by_role("button", name="Try it out").first.click()
    page.get_by_role("button", name="Execute").first.click()
    wait_until(shows(page, "Response body"))
    assert watched.complaints == []


def test_the_site_is_read_and_searched_by_keys(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    watched = open_page(host.url, "/docusaurus/")
    page = watched.page
    assert page.title() == "Stagebox"
    wait_until(lambda: page.evaluate("!document.querySelector('form.search').hidden"))
    page.keyboard.press("/")
    page.keyboard.type("sinceTimestamp")
    wait_until(lambda: page.evaluate("document.querySelectorAll('#results li').length > 0"))
    wait_until(lambda: "found" in page.locator("#results [role=status]").inner_text())
    page.keyboard.press("ArrowDown")
    leads_to = page.evaluate("document.activeElement.closest('#results a').pathname")
    assert leads_to.startswith("/docusaurus/")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: urlsplit(url).path == leads_to)
    assert "sinceTimestamp" in page.locator("main").inner_text()
    wait_until(lambda: page.evaluate("!document.querySelector('form.search').hidden"))
    page.keyboard.press("/")
    page.keyboard.type("xyzzy-nowhere")
    wait_until(shows(page, "Nothing found"))
    page.keyboard.press("Escape")
    assert page.evaluate("document.getElementById('results').hidden")
    assert watched.complaints == []


def paper(page: Any) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_light_and_dark_are_kept(host: TestHost, open_page: Callable[..., Any]) -> None:
    watched = open_page(host.url, "/docusaurus/guide/plugins", color_scheme="dark")
    page = watched.page
    dark = paper(page)
    code = "getComputedStyle(document.querySelector('code.hl .k, code.hl .kn')).color"
    dark_code = page.evaluate(code)
    page.get_by_role("button", name="Use the light theme").click()
    light = paper(page)
    assert light != dark
    assert page.evaluate(code) != dark_code
    page.goto("/docusaurus/guide/install")
    assert paper(page) == light
    assert watched.complaints == []


def test_it_fits_a_phone(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    for path in ("/docusaurus/", "/docusaurus/api/media", "/docusaurus/guide/plugins"):
        watched = open_page(host.url, path, viewport={"width": 375, "height": 700})
        page = watched.page
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        wait_until(lambda page=page: not page.evaluate("document.querySelector('details').open"))
        page.locator("nav.pages summary").click()
        page.get_by_role("link", name="Install", exact=True).first.click()
        wait_until(lambda page=page: page.evaluate("location.pathname").endswith("/guide/install"))
        assert watched.complaints == []
