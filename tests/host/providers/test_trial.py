"""Trying a provider: what is asked of each type, and what is said of one that fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from host.clock import SystemClock
from host.providers import Asker, try_provider
from plugin_sdk import (
    Invalid,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    ProviderUnavailable,
    SongFormat,
    SongSource,
    UnreadableSong,
)


@pytest.fixture
def asker() -> Asker:
    return Asker(SystemClock(None), logging.getLogger("trial"))


class Films(MetadataProvider):
    name = "films"
    kinds = frozenset({"tv", "movie"})
    closed = 0
    configured = True

    def is_configured(self) -> bool:
        return self.configured

    def fetch(self, query: MediaQuery) -> MediaMetadata | None:
        return None

    def close(self) -> None:
        type(self).closed += 1


class Searching(Films):
    """One that asks for a title before it asks for what is known of it."""

    def fetch(self, query: MediaQuery) -> MediaMetadata | None:
        number = self.ctx.once("search", lambda: 7)
        return MediaMetadata({"films": str(number)}, query.title)


class Broken(Films):
    def fetch(self, query: MediaQuery) -> MediaMetadata | None:
        raise ZeroDivisionError("no reels")


class Unset(Films):
    configured = False


def test_metadata_is_asked_for_a_title_and_closed(asker: Asker) -> None:
    said = try_provider("metadata", Films, asker)
    assert said.startswith('films knows nothing of the movie "Metropolis", and said so in ')
    assert said.endswith(" ms.")
    assert "knows something" in try_provider("metadata", Searching, asker)
    with pytest.raises(ProviderUnavailable, match="It failed: no reels"):
        try_provider("metadata", Broken, asker)
    with pytest.raises(Invalid, match="films lacks what it needs"):
        try_provider("metadata", Unset, asker)
    assert (Films.closed, Searching.closed, Broken.closed, Unset.closed) == (1, 2, 2, 2)


class Reader(SongFormat):
    name = "trial"
    suffixes = frozenset({".trial"})

    def metadata(self, source: SongSource) -> Any:
        raise UnreadableSong

    chart = cover = stem = metadata  # type: ignore[assignment]


class Credulous(Reader):
    def metadata(self, source: SongSource) -> Any:
        return {"title": source.path.name}


class Deaf(Reader):
    def claims(self, path: Path, files: Sequence[str] | None) -> bool:
        return False


class Folders(Reader):
    suffixes = frozenset()

    def claims(self, path: Path, files: Sequence[str] | None) -> bool:
        assert path.is_dir()
        return bool(files)


def test_a_song_format_reads_what_is_no_song(asker: Asker) -> None:
    for reader in (Reader(), Folders()):
        assert "trial refused a song that is none" in try_provider("song_format", reader, asker)
    for reader, why in ((Credulous(), "for a song"), (Deaf(), "does not claim")):
        with pytest.raises(ProviderUnavailable, match=why):
            try_provider("song_format", reader, asker)
    locked = Reader()
    locked.lock = (each for each in ())  # type: ignore[attr-defined]  # cannot be sent
    with pytest.raises(ProviderUnavailable, match="It failed: cannot pickle"):
        try_provider("song_format", locked, asker)


def test_a_login_provider_is_asked_for_a_token_that_nobody_has(asker: Asker) -> None:
    asked: list[str] = []
    door = SimpleNamespace(name="door", identify=asked.append)
    assert "door refused a token" in try_provider("auth", door, asker)
    assert len(asked[0]) > 32
    ajar = SimpleNamespace(name="ajar", identify=lambda token: token)
    with pytest.raises(ProviderUnavailable, match="ajar takes a token"):
        try_provider("auth", ajar, asker)


def test_nobody_hears_a_trial_of_realtime(asker: Asker) -> None:
    heard: list[Any] = []

    def broadcast(message: Any, *, allow: Any) -> None:
        heard.extend(each for each in ("ada", "eve") if allow(each))

    ws = SimpleNamespace(name="ws", broadcast=broadcast)
    assert "ws took a message" in try_provider("realtime", ws, asker)
    assert heard == []


def test_a_type_of_a_plugin_is_tried_by_its_own_method(asker: Asker) -> None:
    lamp = SimpleNamespace(test=lambda: "It shone.")
    assert try_provider("lamp", lamp, asker) == "It shone."
    with pytest.raises(Invalid, match='type "lamp" cannot be tried'):
        try_provider("lamp", SimpleNamespace(), asker)
