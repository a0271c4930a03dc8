"""Headless Chromium, and pages that must not complain."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


_PATIENCE = 60_000
"""Milliseconds: a busy machine draws late."""

_LISTENING = """
const listen = EventTarget.prototype.addEventListener;
EventTarget.prototype.addEventListener = function (name, ...more) {
  listen.call(this, name, ...more);
  if (name === "submit" && this.dataset) this.dataset.listens = "yes";
};
"""
"""Marks forms that somebody takes: one that is sent before that is sent by the browser itself."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=_PATIENCE)
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "the browser tests need Debian's package chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A page, and everything that it complained about or asked of strangers."""

    def __init__(self, page: Page, own: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._request(request.url, own))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, url: str, own: str) -> None:
        if not url.startswith((own, "data:", "blob:")):
            self.complaints.append(f"asked a stranger: {url}")


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Any]:
    contexts = []

    def open_(url: str, path: str, **options: Any) -> Watched:
        context = browser.new_context(base_url=url, **options)
        context.set_default_timeout(_PATIENCE)
        context.add_init_script(_LISTENING)
        contexts.append(context)
        page = context.new_page()
        watched = Watched(page, url)
        page.goto(path)
        return watched

    yield open_
    for context in contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")  # of an answer that nobody waits for
        context.close()
