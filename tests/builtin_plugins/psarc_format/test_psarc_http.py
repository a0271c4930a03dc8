"""Archives, loose folders and what is broken, in the library of a real host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.testing import TestHost

MANIFEST = "manifests/songs_dlc_song/song_lead.json"
CHART = "songs/bin/generic/song_lead.sng"


@pytest.fixture(scope="module")
def bundled(bundled: Any) -> Any:
    """Whose library the archives are in."""
    return bundled and {*bundled, "songs", "song_formats"}


@pytest.fixture
def scanned(wait_until: Callable[..., None]) -> Callable[[TestHost], dict[str, Any]]:
    """Scans all songs anew and gives the result."""

    def scan(host: TestHost) -> dict[str, Any]:
        before = host.get("/api/scan-status").json()["startedAt"]
        assert host.post("/api/rescan/full").status == 202
        state: dict[str, Any] = {}

        def done() -> bool:
            state.update(host.get("/api/scan-status").json())
            return state["status"] == "complete" and state["startedAt"] != before

        wait_until(done, 60)
        return state

    return scan


def test_from_off_to_keys_to_off(psarcs: Any, tmp_path: Path, scanned: Any) -> None:
    chart = psarcs.sng(levels=[{"notes": [{"t": 1.0, "f": 5}]}])
    files = {
        CHART: chart.sealed(psarcs.keys.sng_pc),
        MANIFEST: psarcs.manifest("Lead", SongName="Sealed", ArtistName="A", SongLength=9),
    }
    psarcs.source(files, keys=psarcs.keys)
    loose = psarcs.root / "Artist" / "Album" / "Loose"
    loose.mkdir(parents=True)
    (loose / "lead.xml").write_bytes(psarcs.xml)
    (loose / "song.ogg").write_bytes(b"OggS")
    (psarcs.root / "broken.sloppak").write_bytes(b"no archive")
    settings = {"songs": {"dlcDir": str(psarcs.root), "scanOnStart": False}}
    with TestHost(tmp_path / "data", settings=settings) as host:
        state = scanned(host)
        assert (state["added"], state["failed"]) == (1, 1), "off: neither listed nor failed"
        assert state["failures"] == [{"file": "broken.sloppak", "message": "not a ZIP archive"}]

        host.enable("psarc_format")
        failures = {each["file"]: each["message"] for each in scanned(host)["failures"]}
        assert failures["song_p.psarc"] == "keys are not configured"

        keys = psarcs.keys
        host.plugin("psarc_format").context.settings.update(
            {
                "tocKey": keys.toc_key.hex(),
                "tocIv": keys.toc_iv.hex(),
                "sngKeyPc": keys.sng_pc.hex(),
            }
        )
        assert scanned(host)["failed"] == 1
        songs = {song["title"]: song for song in host.get("/api/library").json()["songs"]}
        assert {title: song["format"] for title, song in songs.items()} == {
            "Sealed": "psarc",
            "XT": "loose",
        }
        track = f"/api/tracks/{songs['Sealed']['trackId']}/highway"
        assert host.get(track).json()["notes"] == [{"t": 1.0, "s": 0, "f": 5}]
        loose_track = f"/api/tracks/{songs['XT']['trackId']}"
        highway = host.get(f"{loose_track}/highway").json()
        assert highway["song"]["tuning"] == [-2, 0, 0, 0, 0, 0]
        assert host.get(f"{loose_track}/audio").content == b"OggS"

        host.disable("psarc_format")
        assert host.get("/api/library").json()["total"] == 2
        refused = host.get(track)
        assert (refused.status, refused.json()["error"]) == (503, "FORMAT_UNAVAILABLE")
