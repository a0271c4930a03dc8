"""The context as a whole: capabilities, a plugin's life, paths, blobs, clock and log."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from plugin_sdk import (
    CapabilityMissing,
    Conflict,
    Event,
    Invalid,
    NotFound,
    Plugin,
    Principal,
    Provider,
    ProviderUnavailable,
    Request,
    event_handler,
    hookspec,
    job,
    route,
)
from plugin_sdk.testing import FakeClock, FakeContext, request, signed_in
from tests.sdk.testing.memory_database import MemoryDatabase

SOUND = {"label": "boo"}


class Specifications:
    @hookspec
    def board_volume(self, sound: str) -> float | None: ...


class Board(Plugin):
    """A plugin that uses what most plugins use."""

    hookspecs = (Specifications,)

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.life: list[str] = []

    def enable(self) -> None:
        self.life.append("enabled")
        self.context.services.offer("example.board.store", self)
        self.context.settings.on_change(lambda names: self.life.append("settings"))

    def disable(self) -> None:
        self.life.append("disabled")

    @route("POST", "/sounds")
    def add(self, request: Request) -> Any:
        data = self.context.data.scope("server", request.query["serverId"])
        with data.transaction():
            sounds = data.get("sounds", [])
            self.context.events.emit("example.board.added", {"count": len(sounds) + 1})
            if len(sounds) >= self.context.settings["maxSounds"]:
                raise Conflict("The board is full.")
            data.set("sounds", [*sounds, request.body])
        return request.body

    @event_handler("rooms.deleted")
    def forget(self, event: Event) -> None:
        self.context.data.scope("server", event.data["room"]).clear()

    @job("count")
    def count(self, run: Any) -> int:
        return len(self.context.data.scope("server", "1").get("sounds", []))

    def providers(self) -> Sequence[Provider]:
        return [Provider("song_format", "board", self)]

    def decide(
        self, principal: Principal, permission: str, resources: Sequence[Any]
    ) -> bool | None:
        return True if principal.name == "Owner" else None


@pytest.fixture
def context() -> FakeContext:
    return FakeContext("example.board", settings={"maxSounds": 2})


def test_a_handler_is_tested_by_calling_it(context: FakeContext) -> None:
    board = context.start(Board)
    for _ in range(2):
        assert board.add(request("POST", query={"serverId": "1"}, body=SOUND)) == SOUND
    with pytest.raises(Conflict, match="full"):
        board.add(request("POST", query={"serverId": "1"}, body=SOUND))
    assert [event.data["count"] for event in context.events.emitted] == [1, 2]
    context.jobs.synchronous = True
    assert context.jobs.start("count").result == 2
    context.events.receive("rooms.deleted", {"room": "1"})
    assert context.jobs.start("count").result == 0


def test_starting_connects_and_stopping_withdraws(context: FakeContext) -> None:
    board = context.start(Board)
    context.settings.update({"maxSounds": 3})
    assert board.life == ["enabled", "settings"]
    assert context.services.get("example.board.store") is board
    assert context.providers.active("song_format") is board
    assert context.permissions.allowed(signed_in(name="Owner"), "anything")
    assert context.hooks.call("board_volume", sound="boo") == []
    context.providers.add("song_format", "foreign", "FOREIGN")

    context.stop(board)
    assert board.life == ["enabled", "settings", "disabled"]
    assert context.services.find("example.board.store") is None
    assert context.providers.chain("song_format") == ["FOREIGN"]
    assert not context.permissions.allowed(signed_in(name="Owner"), "anything")
    context.settings.update({"maxSounds": 4})
    context.events.receive("rooms.deleted", {})
    with pytest.raises(NotFound):
        context.jobs.start("count")
    assert board.life[-1] == "disabled"

    assert context.start(Board).life == ["enabled"]


def test_a_plugin_that_objects_is_not_enabled(context: FakeContext) -> None:
    class Objects(Board):
        def check(self) -> Iterable[str]:
            yield "ffmpeg is missing."
            yield "So is sox."

        def enable(self) -> None:
            raise AssertionError

    with pytest.raises(Conflict, match=r"ffmpeg is missing\. So is sox\."):
        context.start(Objects)


def test_a_plugin_that_fails_to_enable_is_disabled(context: FakeContext) -> None:
    seen: list[Plugin] = []

    class Fails(Board):
        def enable(self) -> None:
            seen.append(self)
            super().enable()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        context.start(Fails)
    [board] = seen
    assert isinstance(board, Fails)
    assert board.life == ["enabled", "disabled"]
    assert context.services.offered == {}


def test_the_first_failure_is_the_one_that_is_seen(context: FakeContext) -> None:
    class Fails(Plugin):
        def enable(self) -> None:
            raise ZeroDivisionError

        def disable(self) -> None:
            raise AttributeError

    with pytest.raises(ZeroDivisionError):
        context.start(Fails)
    assert context.log.messages == ["disable raised after a start that failed"]


@pytest.mark.parametrize("capability", ["db", "blobs", "http", "realtime", "paths"])
def test_what_is_not_declared_is_missing(capability: str) -> None:
    poor = FakeContext("example.board", capabilities=[])
    with pytest.raises(CapabilityMissing, match=f'"{capability}"') as caught:
        getattr(poor, capability)
    assert caught.value.capability == capability
    with FakeContext(capabilities=[capability], database=lambda _: MemoryDatabase()) as rich:
        assert getattr(rich, capability) is not None


def test_private_http_is_http_too() -> None:
    assert FakeContext(capabilities=["http.private"]).http is not None


def test_its_manifest_says_what_was_given() -> None:
    schema = {"type": "object", "properties": {}}
    context = FakeContext("example.board", capabilities=["blobs"], settings_schema=schema)
    assert (context.manifest.id, context.manifest.capabilities) == ("example.board", ("blobs",))
    assert context.manifest.settings == schema
    assert context.manifest.prefix == "/api/plugins/example.board"


def test_capabilities_that_are_none() -> None:
    with pytest.raises(ValueError, match="databse"):
        FakeContext(capabilities=["databse"])


def test_it_is_what_the_manifest_declares(tmp_path: Path) -> None:
    document = {
        "id": "example.board",
        "name": "Board",
        "version": "1.0.0",
        "sdk": ">=1",
        "capabilities": ["blobs"],
        "permissions": [{"name": "example.board:edit", "description": "Edit"}],
        "settings": {"type": "object", "properties": {"maxSounds": {"default": 7}}},
    }
    (tmp_path / "plugin.json").write_text(json.dumps(document))
    context = FakeContext.for_folder(tmp_path)
    assert context.plugin_id == "example.board"
    assert context.settings["maxSounds"] == 7
    assert context.permissions.available()[-1].name == "example.board:edit"
    assert context.blobs.list() == []
    assert context.manifest.name == "Board"
    with pytest.raises(CapabilityMissing):
        context.db  # noqa: B018
    with pytest.raises(Invalid):
        FakeContext.for_folder(tmp_path, settings={"maxsounds": 1})


def test_paths_are_there_until_it_is_closed() -> None:
    with FakeContext() as context:
        data = context.paths.data
        (data / "file").write_text("x")
        assert context.paths.data == data
        assert context.paths.package.is_dir()
        with context.paths.temporary() as first, context.paths.temporary() as second:
            assert first != second
            assert list(first.iterdir()) == []
        assert not first.exists()
    assert not data.exists()
    assert FakeContext(package=Path("x")).paths.package == Path("x")


def test_blobs_are_an_area_of_a_storage() -> None:
    context = FakeContext("example.board")
    other = FakeContext("example.other")
    other.blobs.storage = context.blobs.storage
    info = context.blobs.put("a/b", b"12345", "text/plain")
    assert (info.key, info.size, info.content_type) == ("a/b", 5, "text/plain")
    other.blobs.put("a/b", io.BytesIO(b"other"))
    assert context.blobs.read("a/b") == b"12345"
    assert context.blobs.get("a/b").info == info
    with context.blobs.get("a/b").open(1, 3) as stream:
        assert stream.read() == b"234"
    context.blobs.put("c", b"")
    assert [each.key for each in context.blobs.list()] == ["a/b", "c"]
    assert [each.key for each in context.blobs.list("a")] == ["a/b"]
    assert [each.key for each in context.blobs.list(after="a/b")] == ["c"]
    assert context.blobs.exists("c")
    assert context.blobs.delete("c") is True
    assert context.blobs.delete("c") is False
    assert not context.blobs.exists("c")
    for ask in (context.blobs.get, context.blobs.read):
        with pytest.raises(NotFound):
            ask("c")
    for odd in ("", "/a", "a//b", "../a", "a\\b"):
        with pytest.raises(Invalid):
            context.blobs.put(odd, b"")


def test_without_a_storage_there_are_no_blobs(context: FakeContext) -> None:
    context.blobs.storage = None
    for ask in (
        lambda: context.blobs.put("a", b""),
        lambda: context.blobs.get("a"),
        lambda: context.blobs.read("a"),
        lambda: context.blobs.exists("a"),
        lambda: context.blobs.delete("a"),
        lambda: context.blobs.list(),
    ):
        with pytest.raises(ProviderUnavailable):
            ask()


def test_the_clock_stands_until_it_is_moved() -> None:
    clock = FakeContext(now=datetime(2026, 5, 1, 12, 0, 0, 123_000, tzinfo=UTC)).clock
    assert clock.iso() == "2026-05-01T12:00:00.123Z"
    assert clock.ms() == round(clock.time() * 1000)
    assert clock.now() == datetime(2026, 5, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    clock.advance(0.001)
    assert clock.iso() == "2026-05-01T12:00:00.124Z"
    clock.set(0)
    assert (clock.ms(), clock.iso()) == (0, "1970-01-01T00:00:00.000Z")
    assert clock.iso(1_001) == "1970-01-01T00:00:01.001Z"
    with pytest.raises(ValueError, match="time zone"):
        FakeClock(datetime(2026, 1, 1))


def test_the_log_is_kept_and_passed_on(
    context: FakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    context.log.info("%d links are dead", 3)
    context.log.debug("quiet")
    assert context.log.messages == ["3 links are dead", "quiet"]
    assert context.log.records[0].levelno == logging.INFO
    assert "3 links are dead" in caplog.messages
    assert FakeContext("example.board").log.messages == []
    assert "stagebox.plugins.example.board" not in logging.Logger.manager.loggerDict
