"""The page at /media, as a person uses it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from playwright.sync_api import expect

from host.testing import TestHost
from plugin_sdk import MediaMetadata, MediaQuery, MetadataProvider, Plugin, Provider
from tests import on_disk

tmp_path = on_disk.tmp_path

CLIP = Path(__file__).parent / "clips" / "counting.webm"  # 8 seconds, 10 pictures a second
COLOURS = '["#f4cc3c","#f7de81","#1c3cbc","#907308"]'

pytestmark = pytest.mark.browser


class Pictured(MetadataProvider):
    name = display_name = "pictured"
    source = "OTHER"
    kinds = frozenset({"movie", "tv"})
    config_schema: ClassVar[Mapping[str, Any]] = {"type": "object"}

    def fetch(self, query: MediaQuery) -> MediaMetadata | None:
        title = query.title
        return MediaMetadata({"OTHER": title}, title, overview=f"About {title}.", genres=("Drama",))


class Metadata(Plugin):
    manifest: ClassVar = {
        "id": "test_pictured",
        "providers": [{"type": "metadata", "name": "pictured"}],
    }

    def providers(self) -> list[Provider]:
        return [Provider("metadata", "pictured", Pictured)]


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    with TestHost(tmp_path_factory.mktemp("media"), plugins=[Metadata]) as host:
        yield host


def _scanning(host: TestHost) -> bool:
    """Whether a scan that a test began is still on: it would put films into the next one's page."""
    on = "status IN ('PENDING', 'IN_PROGRESS')"
    return host.plugin("media").context.db.table("scan_job").count_where(on) > 0


@pytest.fixture
def host(shared_host: TestHost, wait_until: Callable[..., None]) -> TestHost:
    """Without libraries, and with one provider."""
    wait_until(lambda: not _scanning(shared_host), 120)
    for library in shared_host.get("/api/v1/library").json()["data"]:
        shared_host.delete(f"/api/v1/library/{library['id']}")
    for row in shared_host.get("/api/v1/settings/providers").json()["data"]:
        shared_host.delete(f"/api/v1/settings/providers/{row['name']}")
    shared_host.post("/api/v1/settings/providers", json={"name": "pictured"})
    return shared_host


def _plant(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CLIP, root / path)
    return root


def _scan(page: Any, root: Path, kind: str) -> None:
    page.wait_for_selector("html[data-live=yes]")  # or the end of the scan may be missed
    page.locator("#add input[name=path]").fill(str(root))
    page.locator("#add select").select_option(kind)
    page.locator("#add button").click()


def test_a_folder_is_scanned_and_a_film_plays(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None], tmp_path: Path
) -> None:
    films = _plant(tmp_path / "films", "Counting (2001)/Counting (2001).webm", "Other (2002).webm")
    watched = open_page(host.url, "/media")
    page = watched.page
    wait_until(lambda: page.evaluate("document.documentElement.dataset.live === 'yes'"))
    expect(page.locator("#no-films")).to_be_visible()
    _scan(page, films, "movie")
    # Told by the socket alone: nothing is reloaded.
    wait_until(lambda: page.evaluate("document.querySelectorAll('#films .tile').length === 2"))
    wait_until(lambda: "Scan complete: 2 items" in page.locator("#scan-text").inner_text())
    wait_until(lambda: page.evaluate("document.getElementById('scan-progress').value") == 100)
    expect(page.locator("#libraries")).to_contain_text("2 titles")
    page.locator("#films .tile", has_text="Counting").click()
    wait_until(lambda: page.evaluate("document.getElementById('video').duration > 7"))
    expect(page.locator("#player")).to_contain_text("About Counting.")
    page.evaluate("document.getElementById('video').muted = true")
    page.evaluate("document.getElementById('video').play()")
    wait_until(lambda: page.evaluate("document.getElementById('video').currentTime > 0.1"))
    page.evaluate("document.getElementById('video').currentTime = 6")
    wait_until(lambda: page.evaluate("document.getElementById('video').currentTime > 6.1"))
    assert page.evaluate("document.getElementById('video').error") is None
    page.keyboard.press("Escape")
    expect(page.locator("#player")).to_be_hidden()
    # Whoever has no mouse stays where he is while the lists are drawn again.
    page.evaluate("document.querySelector('#libraries li').dataset.old = 'yes'")
    page.locator("#libraries button").focus()
    page.keyboard.press("Enter")
    wait_until(lambda: page.locator("[data-old]").count() == 0)
    expect(page.locator("#libraries button")).to_be_focused()
    assert watched.complaints == []


LATE_SOCKET = """
const Real = WebSocket;
window.sockets = [];
window.WebSocket = class extends EventTarget {
  constructor(url) {
    super();
    window.sockets.push({ late: this, url });
  }
};
window.openLate = () => {
  for (const { late, url } of window.sockets.splice(0)) {
    const real = (window.opened = new Real(url));
    for (const name of ["open", "close"])
      real.addEventListener(name, () => late.dispatchEvent(new Event(name)));
    real.addEventListener("message", ({ data }) =>
      late.dispatchEvent(new MessageEvent("message", { data })),
    );
  }
};
"""


def test_what_happens_while_no_socket_is_open_is_seen(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None], tmp_path: Path
) -> None:
    def ended(job: str) -> bool:
        answer = host.get(f"/api/v1/scan/job/{job}").json()
        return bool(answer["data"]["status"] == "COMPLETED")

    def scanned(*paths: str) -> str:
        body = {"path": str(_plant(tmp_path / "films", *paths))}
        job = str(host.post("/api/v1/scan/path", json=body).json()["data"]["jobId"])
        wait_until(lambda: ended(job))
        return job

    watched = open_page(host.url, "/media")
    page = watched.page
    page.add_init_script(LATE_SOCKET)
    page.reload()
    expect(page.locator("#no-films")).to_be_visible()  # the first list was made
    job = scanned("Alien (1979).webm")
    expect(page.locator("#films .tile")).to_have_count(0)
    wait_until(lambda: page.evaluate("sockets.length === 1"))
    page.evaluate("openLate()")
    expect(page.locator("#films .tile")).to_have_count(1)
    # A scan whose end is told while the socket is broken, and another whose beginning was.
    page.evaluate("opened.close()")
    wait_until(lambda: page.evaluate("sockets.length === 1"))
    frame = {
        "type": "scan:progress",
        "scanJobId": job,
        "current": 1,
        "total": 9,
        "progress": 11,
        "message": "Scanning",
    }
    page.evaluate(
        "(data) => sockets[0].late.dispatchEvent(new MessageEvent('message', { data }))",
        json.dumps(frame),
    )
    expect(page.locator("#scan-text")).to_have_text("1 of 9 folders. Scanning")
    page.evaluate("openLate()")
    expect(page.locator("#scan-text")).to_have_text("Scan complete: 1 items")
    host.plugin("media").context.db.execute(
        "UPDATE scan_job SET status = 'IN_PROGRESS', total_folders = 4, processed_folders = 1"
    )
    page.reload()
    wait_until(lambda: page.evaluate("sockets.length === 1"))
    page.evaluate("openLate()")
    expect(page.locator("#scan-text")).to_have_text("films: 1 of 4 folders")
    wait_until(lambda: page.evaluate("document.getElementById('scan-progress').value") == 25)
    host.plugin("media").context.db.execute("UPDATE scan_job SET status = 'COMPLETED'")
    assert watched.complaints == []


def test_episodes_play(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None], tmp_path: Path
) -> None:
    shows = _plant(tmp_path / "shows", "Numbers/S01E01.webm", "Numbers/S01E02.webm")
    watched = open_page(host.url, "/media")
    page = watched.page
    _scan(page, shows, "tv")
    wait_until(lambda: page.evaluate("document.querySelectorAll('#shows .tile').length === 1"))
    page.locator("#shows .tile").click()
    wait_until(lambda: page.locator("#seasons button").count() == 2)
    page.locator("#seasons button").nth(1).click()
    wait_until(lambda: page.evaluate("document.getElementById('video').currentTime > 0.1"))
    expect(page.locator("#player-title")).to_have_text("Numbers: Episode 2")
    page.locator("#close").click()
    assert watched.complaints == []


def test_search_as_one_types(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None], tmp_path: Path
) -> None:
    names = ["Amélie", "Alien", "Brazil"]
    films = _plant(tmp_path / "films", *(f"{name} (2001).webm" for name in names))
    watched = open_page(host.url, "/media")
    page = watched.page
    _scan(page, films, "movie")
    wait_until(lambda: page.evaluate("document.querySelectorAll('#films .tile').length === 3"))

    def found() -> Any:
        return page.evaluate(
            "[...document.querySelectorAll('#found-items b')].map((each) => each.textContent)"
        )

    page.locator("#query").press_sequentially("AMÉ", delay=20)
    wait_until(lambda: found() == ["Amélie"])
    expect(page.locator("#home")).to_be_hidden()
    page.locator("#query").fill("zzz")
    wait_until(lambda: "Nothing is called" in page.locator("#found-text").inner_text())
    page.locator("#query").fill("")
    wait_until(lambda: page.locator("#home").is_visible())
    assert watched.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_and_a_narrow_screen(
    host: TestHost,
    open_page: Callable[..., Any],
    wait_until: Callable[..., None],
    tmp_path: Path,
    scheme: str,
) -> None:
    films = _plant(tmp_path / "films", "Alien (1979).webm", f"{'W' * 90} (2001).webm")
    host.post("/api/v1/library", json={"name": "N" * 255, "libraryPath": "/" + "p" * 300})
    answer = host.post("/api/v1/scan/path", json={"path": str(films)})
    job = f"/api/v1/scan/job/{answer.json()['data']['jobId']}"
    wait_until(lambda: host.get(job).json()["data"]["status"] == "COMPLETED")
    database = host.plugin("media").context.db
    database.execute("UPDATE media SET colors = :colours", {"colours": COLOURS})
    watched = open_page(
        host.url, "/media", viewport={"width": 320, "height": 740}, color_scheme=scheme
    )
    page = watched.page
    wait_until(lambda: page.evaluate("document.querySelectorAll('#films .tile').length === 2"))
    style = "getComputedStyle(document.querySelector('#films .poster')).backgroundImage"
    assert "rgb(244, 204, 60)" in page.evaluate(style)
    line = "getComputedStyle(document.querySelector('#films .caption'), '::before').backgroundImage"
    assert "rgb(244, 204, 60)" in page.evaluate(line)  # seen beside a poster, too
    expect(page.locator("#libraries li")).to_have_count(2)
    page.locator("#query").fill("W" * 100)
    expect(page.locator("#found-text")).to_contain_text("Nothing is called")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#query").fill("")
    expect(page.locator("#home")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.reload()
    wait_until(lambda: page.evaluate("document.querySelectorAll('#films .tile').length === 2"))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "tile"
    page.keyboard.press("Enter")
    expect(page.locator("#player")).to_be_visible()
    assert page.evaluate("document.getElementById('player').scrollWidth <= innerWidth")
    assert watched.complaints == []


def test_where_posters_come_from_is_offered_once(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None], tmp_path: Path
) -> None:
    host.delete("/api/v1/settings/providers/pictured")
    watched = open_page(host.url, "/media")
    page = watched.page
    wait_until(lambda: page.locator("#metadata").is_visible())
    page.locator("#beside button").click()
    wait_until(lambda: "scan a library again" in page.locator("#metadata-text").inner_text())
    expect(page.locator("#choices")).to_be_hidden()
    [row] = host.get("/api/v1/settings/providers").json()["data"]
    assert (row["name"], row["enabled"], row["configured"]) == ("local_files", True, True)
    page.reload()
    wait_until(lambda: page.evaluate("document.documentElement.dataset.live === 'yes'"))
    expect(page.locator("#metadata")).to_be_hidden()
    host.delete("/api/v1/settings/providers/local_files")
    page.reload()
    wait_until(lambda: page.locator("#metadata").is_visible())
    page.locator("#key input").fill("my key")
    page.locator("#key button").click()
    wait_until(lambda: "scan a library again" in page.locator("#metadata-text").inner_text())
    [row] = host.get("/api/v1/settings/providers").json()["data"]
    assert (row["name"], row["config"]["apiKey"]) == ("tmdb", "********")
    assert watched.complaints == []


def test_what_goes_wrong_is_said(
    host: TestHost, open_page: Callable[..., Any], wait_until: Callable[..., None], tmp_path: Path
) -> None:
    watched = open_page(host.url, "/media", viewport={"width": 320, "height": 300})
    page = watched.page
    _scan(page, Path("/no/such/folder"), "movie")
    wait_until(lambda: "does not exist" in page.locator("#trouble").inner_text())
    expect(page.locator("#trouble")).to_be_in_viewport()  # however far above the form it stands
    films = _plant(tmp_path / "films", "Gone (2001).webm", "Odd (2002).webm", "There (2003).webm")
    (films / "Odd (2002).webm").write_bytes(b"no film at all")
    _scan(page, films, "movie")
    expect(page.locator("#films .tile")).to_have_count(3)
    expect(page.locator("#trouble")).to_be_hidden()
    (films / "Gone (2001).webm").unlink()
    for title, text in (
        ("Gone", "The file is not there any more: scan its library again."),
        ("Odd", "This browser cannot play the file."),
        ("There", "The server does not answer. Is it running?"),
    ):
        page.context.set_offline(title == "There")
        page.locator("#films .tile", has_text=title).click()
        expect(page.locator("#player-note")).to_have_text(text)
        page.keyboard.press("Escape")
    page.locator("#query").fill("There")
    expect(page.locator("#trouble")).to_have_text("The server does not answer. Is it running?")
    page.context.set_offline(False)
    page.locator("#query").fill("Ther")
    expect(page.locator("#found-text")).to_have_text("1 found")
    expect(page.locator("#trouble")).to_be_hidden()
    assert host.get("/media/pages.py").status == 404
    assert host.get("/media/../plugin.json").status == 404


def test_who_must_sign_in_is_led_there_and_back(
    host: TestHost, open_page: Callable[..., Any]
) -> None:
    ada = {"name": "Ada", "pin": "246813", "recoveryPhrase": "a phrase", "recoveryPhraseHint": "x"}
    assert host.post("/api/setup/init", json=ada).status == 201
    settings = host.plugin("media").context.settings
    settings.update({"enableRouteGuards": True})
    try:
        page = open_page(host.url, "/media").page
        expect(page.locator("#trouble")).to_contain_text("Sign in first")
        page.locator("a#sign-in").click()
        page.wait_for_selector("form#sign-in[data-listens]")
        page.locator("form input[name=profileName]").fill("Ada")
        page.locator("form#sign-in input[name=pin]").fill(ada["pin"])
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-live=yes]")  # its socket is let in, too
        expect(page.locator("#no-films")).to_be_visible()
        expect(page.locator("a#sign-in")).to_be_hidden()
    finally:
        settings.update({"enableRouteGuards": False})
