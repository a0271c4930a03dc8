"""The soundboard's page, as a person uses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from host.db import read_value
from host.testing import TestHost

BOARD = "/api/plugins/example.soundboard/board"
ROOM = "room-7ebdde75"

pytestmark = pytest.mark.browser


@pytest.fixture
def host(tmp_path: Path) -> Iterator[TestHost]:
    """With the soundboard as a stranger's package, found by its entry point."""
    with TestHost(tmp_path / "data") as host:
        assert host.enable("example.soundboard").source == "entry-point"
        yield host


def test_a_press_plays_a_sound(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    watched = open_page(host.url, BOARD)
    page = watched.page
    page.locator(".grid .play").first.click()
    wait_until(lambda: page.evaluate("document.querySelector('audio').currentTime > 0.05"))
    assert page.evaluate("document.querySelector('audio').duration") > 0.1
    assert page.evaluate("document.querySelector('audio').error") is None
    assert watched.complaints == []


def test_a_favourite_is_kept_over_a_reload(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    watched = open_page(host.url, BOARD)
    page = watched.page
    star = page.locator(".grid .star").nth(1)
    star.click()
    wait_until(
        lambda: page.evaluate(
            "document.querySelectorAll('.grid .star')[1].getAttribute('aria-pressed') === 'true'"
        )
    )
    page.reload()
    wait_until(
        lambda: page.evaluate(
            "document.querySelectorAll('.grid .star')[1]?.getAttribute('aria-pressed') === 'true'"
        )
    )
    kept = read_value(host.host.engine.open("example.soundboard"), "server", ROOM, "favorites")
    (favourite,) = json.loads(kept or "[]")
    assert favourite["label"] == page.locator(".grid .label").nth(1).inner_text()
    assert watched.complaints == []


def test_an_uploaded_sound_can_be_played(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None], tmp_path: Path
) -> None:
    wave = host.get("/api/plugins/example.soundboard/sounds/chime").content
    file = tmp_path / "mine.wav"
    file.write_bytes(wave)
    watched = open_page(host.url, BOARD)
    page = watched.page
    before = page.locator(".grid .play").count()
    page.locator("input[type=file]").set_input_files(str(file))
    page.locator("input[name=label]").fill("My own")
    page.locator("form button[type=submit], form button:not([type])").first.click()
    wait_until(lambda: page.evaluate(f"document.querySelectorAll('.grid .play').length > {before}"))
    page.locator(".grid .play", has_text="My own").click()
    wait_until(lambda: page.evaluate("document.querySelector('audio').currentTime > 0.05"))
    assert watched.complaints == []


def test_what_goes_wrong_is_said_on_the_page(
    host: TestHost, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "letter.wav"
    file.write_bytes(b"this is no sound at all")
    page = open_page(host.url, BOARD).page
    page.locator("input[type=file]").set_input_files(str(file))
    page.locator("input[name=label]").fill("Letter")
    page.locator("form button[type=submit], form button:not([type])").first.click()
    page.wait_for_selector(".problem:visible")
    assert len(page.locator(".problem").inner_text()) > 10


def test_keys_play_and_the_page_fits_a_phone(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    watched = open_page(host.url, BOARD, viewport={"width": 375, "height": 700})
    page = watched.page
    page.wait_for_selector(".grid .play")
    page.keyboard.press("3")
    wait_until(lambda: page.evaluate("document.querySelector('audio').currentTime > 0.02"))
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
