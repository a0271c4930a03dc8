"""The page at /songs, as a person uses it."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

from builtin_plugins.songs.index import Found
from builtin_plugins.songs.reading import read_song
from host.testing import TestHost
from plugin_sdk.testing import FakeCommandIO
from tests.waiting import eventually

pytestmark = pytest.mark.browser

SECONDS = 20


def sound() -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 8000 * SECONDS)
    return content.getvalue()


def picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (64, 64), "purple").save(content, "PNG")
    return content.getvalue()


def write_pack(folder: Path) -> None:
    """One song of the open format, with two stems, a chart and words."""
    folder.mkdir(parents=True)
    notes = [{"t": 0.25 * n, "s": n % 6, "f": n % 12, "sus": 0.2} for n in range(4 * SECONDS)]
    chart = {
        "notes": notes,
        "beats": [{"time": n / 2, "measure": n // 4 if n % 4 == 0 else -1} for n in range(40)],
        "sections": [{"name": "verse", "number": 1, "time": 1.0}],
    }
    files = {
        "manifest.yaml": (
            'feedpak_version: "1.0.0"\ntitle: Played\nartist: Quill\nalbum: Feathers\nyear: 2001\n'
            f"duration: {SECONDS}\ncover: cover.png\nlyrics: lyrics.json\n"
            "arrangements:\n  - {id: a, name: Lead, file: lead.json}\n"
            "  - {id: b, name: Bass, file: bass.json}\n"
            "stems:\n  - {id: full, file: full.wav}\n  - {id: drums, file: drums.wav}\n"
        ).encode(),
        "lead.json": json.dumps(chart).encode(),
        "bass.json": json.dumps({"notes": notes[:5]}).encode(),
        "lyrics.json": json.dumps(
            [{"t": 0, "d": 9, "w": "la-"}, {"t": 1, "d": 9, "w": "la+"}]
        ).encode(),
        "full.wav": sound(),
        "drums.wav": sound(),
        "cover.png": picture(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A host with one true song among many made-up ones, which have no files: nothing scans."""
    folder = tmp_path_factory.mktemp("songs")
    write_pack(folder / "played.feedpak")
    with TestHost(tmp_path_factory.mktemp("host")) as host:
        songs: Any = host.plugin("songs")
        songs.fill_library(FakeCommandIO(), 3000)
        name = "played.feedpak"
        reader = songs.context.providers.get("song_format", "sloppak")
        facts = read_song(reader, name, str(folder), 1.0).facts
        assert facts is not None
        with songs.context.db.transaction():
            songs._index.put([Found(name, name, "sloppak", "1", facts)])
        songs._scans.settings_changed = lambda _names: None
        songs._scans.request = lambda _mode: False
        songs.context.settings.update({"dlcDir": str(folder)})
        yield host.url


def wait(page: Any, expression: str, argument: Any = None, seconds: float = 60.0) -> Any:
    """Until the expression is true in the page."""
    return eventually(lambda: page.evaluate(expression, argument), seconds, expression)


ROWS = "() => [...document.querySelectorAll('.song')].map((row) => row.innerText)"


def test_a_long_list(open_page: Callable[..., Any], url: str) -> None:
    watched = open_page(url, "/songs")
    page = watched.page
    wait(page, "() => document.querySelectorAll('.song').length > 5")
    expect(page.locator("#count")).to_have_text("3,001 songs")
    tops = "() => ['h1', '#sign-in'].map((at) => document.querySelector(at).offsetTop)"
    title, sign_in = page.evaluate(tops)
    assert abs(title - sign_in) < 9, "the header has one line"
    assert page.evaluate("() => document.querySelector('header').offsetHeight") < 60
    assert page.evaluate("() => document.querySelectorAll('.song').length") < 60
    page.locator("#list").focus()
    first = page.locator(".song.active").inner_text()
    page.keyboard.press("End")
    wait(page, "() => document.querySelector('.song.active')?.dataset.index === '3000'")
    assert page.evaluate("() => document.querySelectorAll('.song').length") < 60
    page.keyboard.press("Home")
    wait(page, "() => document.querySelector('.song.active')?.dataset.index === '0'")
    assert page.locator(".song.active").inner_text() == first
    page.get_by_role("button", name="Artists with Q").click()
    wait(page, "() => document.querySelector('.song.active small')?.innerText[0] === 'Q'")
    above = "[data-index='%s'] small" % (
        int(page.locator(".song.active").get_attribute("data-index")) - 1
    )
    assert wait(page, "(row) => document.querySelector(row)?.innerText", above) < "Q"
    page.locator("input[name=q]").fill("quill")
    wait(page, "() => document.getElementById('count').innerText === '1 song'")
    page.locator("input[name=q]").fill("no such song")
    wait(page, "() => document.getElementById('count').innerText === '0 songs'")
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("#rail")).to_be_hidden()
    page.get_by_role("button", name="Show all songs").click()
    wait(page, "() => document.getElementById('count').innerText === '3,001 songs'")
    expect(page.locator("#nothing")).to_be_hidden()
    page.locator("select[name=sort]").select_option("title")
    wait(page, "() => document.getElementById('rail').hidden")
    wait(page, "() => document.getElementById('count').innerText === '3,001 songs'")
    assert page.locator("select[name=tunings] option").count() > 3
    page.locator("select[name=tunings]").select_option("Drop D")
    wait(page, "() => !document.getElementById('count').innerText.startsWith('3,001')")
    wait(page, f"() => ({ROWS})().length > 5 && ({ROWS})().every((row) => row.includes('Drop D'))")
    assert watched.complaints == []


def test_filters_that_are_folded_away(open_page: Callable[..., Any], url: str) -> None:
    watched = open_page(url, "/songs")
    page = watched.page
    summary = page.locator("#more summary")
    wait(page, "() => document.getElementById('count').innerText === '3,001 songs'")
    summary.click()
    page.get_by_label("With stems").fill("DRUMS, vocals")
    page.get_by_label("Without arrangement").select_option("Rhythm")
    page.get_by_label("Format").select_option("sloppak")
    query = "stems_has=drums,vocals&arrangements_lacks=Rhythm&format=sloppak"
    found = httpx.get(f"{url}/api/library?{query}", trust_env=False, timeout=60).json()["total"]
    assert 100 < found < 3000
    wait(page, "(n) => parseInt(document.getElementById('count').innerText) === n", found)
    expect(summary).to_have_text("More filters (3)")
    page.keyboard.press("Escape")
    expect(page.get_by_label("With stems")).to_be_hidden()
    wait(page, "() => document.activeElement.tagName === 'SUMMARY'")
    page.locator("input[name=q]").fill("no such song")
    page.get_by_role("button", name="Show all songs").click()
    expect(summary).to_have_text("More filters")
    wait(page, "() => document.getElementById('count').innerText === '3,001 songs'")
    assert watched.complaints == []


DRAG = """async () => {
    // Time stands still meanwhile: however long a frame takes, the list rests nowhere.
    const { setTimeout, clearTimeout } = window;
    const held = new Map();
    window.setTimeout = (...timer) => held.set({}, timer) && [...held.keys()].at(-1);
    window.clearTimeout = (timer) => held.delete(timer) || clearTimeout(timer);
    const list = document.getElementById("list");
    for (let top = 5000; top <= 100000; top += 2500) {
        list.scrollTop = top;
        await new Promise(requestAnimationFrame);
    }
    Object.assign(window, { setTimeout, clearTimeout });
    for (const timer of held.values()) setTimeout(...timer);
}"""


def test_a_host_that_is_gone_for_a_while(open_page: Callable[..., Any], url: str) -> None:
    watched = open_page(url, "/songs")
    page = watched.page
    wait(page, "() => document.querySelectorAll('.song').length > 5")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(DRAG)
    wait(page, "() => document.querySelector(\".song[data-index='1786']\")")
    assert len(asked) < 30, "what a drag passes by is not asked for"
    page.route("**/api/library?*", lambda route: route.abort())
    page.evaluate("() => { document.getElementById('list').scrollTop = 140000; }")
    expect(page.locator("#trouble")).to_have_text("The host cannot be reached.")
    page.unroute("**/api/library?*")
    wait(page, "() => document.querySelector(\".song[data-index='2501']\")")  # by itself
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_scan_leaves_the_list_where_it_is(open_page: Callable[..., Any], url: str) -> None:
    watched = open_page(url, "/songs")
    page = watched.page
    expect(page.locator("#sign-in")).to_be_visible()
    wait(page, "() => document.querySelectorAll('.song').length > 5")
    told: list[int] = []

    def scanning(route: Any) -> None:
        status = route.fetch().json()
        told.append(len(told))
        running = len(told) < 5
        status |= {"running": running, "total": 9, "added": len(told), "startedAt": "now"}
        route.fulfill(json={**status, "finishedAt": None if running else "then"})

    page.route("**/api/scan-status", scanning)
    # Whoever may ask for it: that another test has made an administrator is no matter.
    accepted = {"ok": True, "queued": False}
    page.route("**/api/rescan", lambda route: route.fulfill(status=202, json=accepted))
    page.evaluate("() => { document.getElementById('list').scrollTop = 56 * 600; }")
    wait(page, "() => document.querySelector(\".song[data-index='601']\")")
    page.evaluate("() => document.getElementById('look').click()")
    wait(page, "() => document.getElementById('look').disabled")
    wait(page, "() => !document.getElementById('look').disabled")
    assert len(told) >= 5
    wait(page, "() => document.querySelector(\".song[data-index='601']\")")
    assert page.evaluate("() => document.getElementById('list').scrollTop") == 56 * 600

    page.locator("#rail button").first.focus()
    for key in ("End", "Home", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    wait(page, "() => document.querySelector('.song.active small')?.innerText[0] === 'A'")
    assert watched.complaints == []


DRAWN = """async () => {
    const pen = CanvasRenderingContext2D.prototype, clear = pen.clearRect;
    let times = 0;
    pen.clearRect = function (...box) { times++; return clear.apply(this, box); };
    for (let frame = 0; frame < 12; frame++) await new Promise(requestAnimationFrame);
    pen.clearRect = clear;
    return times;
}"""


def loop_to_the_end(page: Any) -> None:
    """A loop that ends where the song does goes round as well."""
    page.evaluate(
        """() => {
            const mix = document.getElementById("mix");
            mix.pause();
            mix.addEventListener("ended", () => { mix.dataset.ended = "yes"; });
        }"""
    )
    for second, name in ((SECONDS - 0.6, "Begin here"), (SECONDS, "End here")):
        page.evaluate("(t) => { document.getElementById('mix').currentTime = t; }", second)
        page.get_by_role("button", name=name).click()
    page.evaluate("(t) => { document.getElementById('mix').currentTime = t; }", SECONDS - 0.3)
    page.evaluate("() => document.getElementById('mix').play()")
    wait(page, "() => document.getElementById('mix').dataset.ended")
    wait(page, "() => !document.getElementById('mix').paused")
    page.get_by_role("button", name="Off").click()


PLAYED = """async () => {
    const mix = document.getElementById("mix"), { dataset } = document.getElementById("highway");
    await mix.play();
    while (Number(dataset.now) <= 0.5) await new Promise(requestAnimationFrame);
    mix.pause();
}"""


def test_playing(open_page: Callable[..., Any], url: str) -> None:
    watched = open_page(url, "/songs")
    page = watched.page
    page.locator("input[name=q]").fill("quill")
    wait(page, "() => document.getElementById('count').innerText === '1 song'")
    page.locator("#list").focus()
    page.keyboard.press("Enter")
    wait(page, "() => document.getElementById('playing').innerText === 'Played'")
    wait(page, "() => Number(document.getElementById('highway').dataset.drawn) > 10")
    wait(page, "() => document.getElementById('cover').naturalWidth === 64")
    wait(page, "() => document.getElementById('mix').readyState >= 1")
    label = page.locator("#highway").get_attribute("aria-label")
    assert label == "Highway of Lead: 80 notes, 0 chords on 6 strings"
    page.evaluate(PLAYED)
    assert page.locator("#lyrics").inner_text().strip() == "lala"

    # A highway that stands still is not drawn, once it has been drawn where it does.
    wait(page, f"async () => await ({DRAWN})() === 0")
    page.evaluate("() => document.getElementById('mix').play()")

    page.get_by_role("button", name="Begin here").click()
    begun = page.evaluate("() => document.getElementById('mix').currentTime")
    wait(page, "(t) => document.getElementById('mix').currentTime > t + 0.8", begun)
    page.get_by_role("button", name="End here").click()
    expect(page.locator("#loop")).to_contain_text("Loop from")
    wait(
        page, "(t) => document.getElementById('mix').currentTime < t + 0.6", begun
    )  # it went round
    page.get_by_role("button", name="Off").click()

    drums = page.locator("#stems input").nth(1)
    drums.focus()
    page.keyboard.press("End")
    wait(page, "() => document.getElementById('mix').muted")
    page.keyboard.press("Home")
    wait(page, "() => !document.getElementById('mix').muted")
    expect(page.locator("#trouble")).to_be_hidden()
    loop_to_the_end(page)

    late: list[Any] = []
    page.route("**/highway?arrangement=1", lambda route: late.append(route))
    page.evaluate("() => { document.getElementById('highway').ariaLabel = ''; }")
    for index in ("1", "0"):
        page.locator("#arrangement").select_option(index)
    wait(page, "(text) => document.getElementById('highway').ariaLabel === text", label)
    with page.expect_response("**/highway?arrangement=1"):
        late.pop().continue_()
    page.evaluate("async () => (await fetch('/songs/songs.css')).text()")
    expect(page.locator("#highway")).to_have_attribute("aria-label", label)
    page.unroute("**/highway?arrangement=1")
    page.locator("#arrangement").select_option("1")
    wait(page, "() => document.getElementById('highway').ariaLabel.includes('Bass: 5 notes')")
    page.get_by_role("button", name="Close the player").click()
    expect(page.locator("#player")).to_be_hidden()
    wait(page, "() => document.getElementById('mix').paused")
    wait(page, "() => document.activeElement.id === 'list'")
    assert watched.complaints == []

    page.keyboard.press("Enter")
    wait(page, "() => document.getElementById('mix').readyState >= 1")
    page.evaluate("() => document.getElementById('mix').play()")
    page.locator("input[name=q]").fill("")
    wait(page, "() => document.getElementById('count').innerText === '3,001 songs'")
    page.locator(".song").first.click()  # made up: it has no sound
    wait(page, "() => !document.getElementById('silent').hidden")
    assert page.evaluate("() => document.getElementById('mix').paused"), "the last song goes on"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(open_page: Callable[..., Any], url: str, tmp_path: Path, scheme: str) -> None:
    watched = open_page(url, "/songs", viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page = watched.page
    page.locator("input[name=q]").fill("quill")
    wait(page, "() => document.getElementById('count').innerText === '1 song'")
    page.locator(".song").click()
    wait(page, "() => Number(document.getElementById('highway').dataset.drawn) > 10")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.screenshot(path=tmp_path / f"{scheme}.png")
    page.set_viewport_size({"width": 390, "height": 400})  # or enlarged so much
    wait(page, "() => document.getElementById('list').clientHeight >= 250")
    page.locator("#close").scroll_into_view_if_needed()
    assert watched.complaints == []


SIGN_IN = """async () => {
    const send = (path, body) => fetch(path, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    await send("/api/setup/init", { name: "Ada", pin: "1234", recoveryPhrase: "a phrase" });
    return (await send("/api/auth/login?cookie=1", { profileName: "Ada", pin: "1234" })).status;
}"""


def test_a_person_keeps_things(open_page: Callable[..., Any], url: str) -> None:
    watched = open_page(url, "/songs")
    page = watched.page
    assert page.locator("#mine").is_hidden()
    assert page.evaluate(SIGN_IN) == 200
    page.reload()
    page.locator("input[name=q]").fill("quill")
    wait(page, "() => document.getElementById('count').innerText === '1 song'")
    page.locator(".song").click()
    page.get_by_role("button", name="Favourite").click()
    wait(page, "() => document.getElementById('favorite').ariaPressed === 'true'")
    wait(page, "() => document.querySelector('.song').innerText.startsWith('★')")
    page.locator("input[name=q]").fill("")
    page.get_by_label("my favourites").check()
    wait(page, "() => document.getElementById('count').innerText === '1 song'")

    wait(page, "() => document.getElementById('mix').readyState >= 1")
    for second, name in ((2, "Begin here"), (5, "End here")):
        page.evaluate("(t) => { document.getElementById('mix').currentTime = t; }", second)
        page.get_by_role("button", name=name).click()
    expect(page.locator("#loop")).to_have_text("Loop from 0:02 to 0:05.")
    page.get_by_role("button", name="Keep").click()
    wait(page, "() => document.querySelectorAll('#kept li').length === 1")
    page.get_by_role("button", name="Delete Loop 1").click()
    wait(page, "() => document.querySelectorAll('#kept li').length === 0")
    page.get_by_role("button", name="Favourite").click()
    wait(page, "() => document.getElementById('favorite').ariaPressed === 'false'")
    assert watched.complaints == []


def test_looking_for_songs(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """From an empty library: what to do, how far it is, what could not be read."""
    folder = tmp_path / "songs"
    folder.mkdir()
    with TestHost(tmp_path / "host") as host:
        watched = open_page(host.url, "/songs")
        page = watched.page
        wait(page, "() => document.getElementById('count').innerText === '0 songs'")
        expect(page.locator("#empty")).to_contain_text("dlcDir")
        expect(page.locator("#rail")).to_be_hidden()
        host.host.settings.update("songs", {"dlcDir": str(folder)})  # begins a scan by itself
        eventually(lambda: host.get("/api/scan-status").json()["status"] == "complete")
        write_pack(folder / "played.feedpak")
        (folder / "broken.feedpak").write_bytes(b"no archive")
        page.get_by_role("button", name="Look for songs").click()
        wait(page, "() => document.getElementById('count').innerText === '1 song'")
        wait(page, "() => !document.getElementById('failures').hidden")
        assert page.locator("#failures").text_content().count("broken.feedpak") == 1
        wait(page, "() => !document.getElementById('look').disabled")
        expect(page.locator("#empty")).to_be_hidden()
        expect(page.locator("#scanning")).to_be_hidden()
        page.screenshot(path=tmp_path / "scanned.png")
        assert watched.complaints == []
