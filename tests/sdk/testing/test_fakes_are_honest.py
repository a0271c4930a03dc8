"""What holds for a fake context holds for a real host's: each test runs on both."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from host.testing import TestHost, open_database
from plugin_sdk import (
    ADMIN,
    CapabilityMissing,
    Conflict,
    Context,
    Event,
    Forbidden,
    Invalid,
    NotFound,
    Permission,
    Plugin,
    Principal,
    Provider,
    ProviderUnavailable,
    TooLarge,
    Unauthenticated,
    event_handler,
    hookimpl,
    hookspec,
    job,
    migration,
)
from plugin_sdk.testing import FakeContext, signed_in

SETTINGS = {
    "type": "object",
    "properties": {
        "maxSounds": {"type": "integer", "default": 3},
        "names": {"type": "array", "default": ["a"]},
        "key": {"type": "string"},
    },
}
CAPABILITIES = ["db", "blobs", "paths"]
PERMISSIONS = [
    {"name": "board:z", "description": "Z"},
    {"name": "board:a", "description": "A"},
]


class Volume:
    @hookspec
    def board_volume(self, sound: str, loud: bool) -> float | None: ...


class Board(Plugin):
    manifest = {  # noqa: RUF012  # read by the test host
        "id": "board",
        "settings": SETTINGS,
        "capabilities": CAPABILITIES,
        "permissions": PERMISSIONS,
        "providers": [{"type": "volume", "name": "loud"}, {"type": "volume", "name": "quiet"}],
    }
    hookspecs = (Volume,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.heard: list[Event] = []

    @hookimpl
    def board_volume(self, sound: str) -> float | None:
        if sound == "broken":
            raise ZeroDivisionError
        return 2.0 if sound == "boo" else None

    @migration("001")
    def tables(self, db: Any) -> None:
        db.table("sounds").create({"id": "integer", "label": "text"}, pk="id")

    @event_handler("board.*")
    def hear(self, event: Event) -> None:
        self.heard.append(event)
        if event.name == "board.broken":
            raise ZeroDivisionError

    @job("count")
    def count(self, run: Any) -> Any:
        run.progress(run.args["to"], 9, "at work")
        if run.args["to"] > 9:
            run.save({"attempt": run.attempt})
            raise Conflict("Too far.")
        return {"to": run.args["to"], "saved": run.saved, "attempt": run.attempt}

    def providers(self) -> Sequence[Provider]:
        return [Provider("volume", "loud", "LOUD"), Provider("volume", "quiet", "QUIET")]

    def decide(
        self, principal: Principal, permission: str, resources: Sequence[Any]
    ) -> bool | None:
        return resources[0] if resources else None


@pytest.fixture(params=["fake", "host"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Board]:
    if request.param == "host":
        with TestHost(tmp_path, plugins=[Board], settings={"board": {"maxSounds": 5}}) as host:
            found = host.plugin("board")
            assert isinstance(found, Board)
            yield found
    else:
        with FakeContext(
            "board",
            settings={"maxSounds": 5},
            settings_schema=SETTINGS,
            capabilities=CAPABILITIES,
            permissions=[Permission(**each, plugin_id="board") for each in PERMISSIONS],
            database=open_database,
        ) as context:
            yield context.start(Board)


@pytest.fixture
def context(board: Board) -> Context:
    return board.context


def _refused(error: type[Exception], *calls: Callable[[], object]) -> None:
    for call in calls:
        with pytest.raises(error):
            call()


def test_who_it_is_and_what_it_may_not(context: Context) -> None:
    assert context.plugin_id == "board"
    manifest = context.manifest
    assert (manifest.id, manifest.capabilities) == ("board", tuple(CAPABILITIES))
    assert manifest.settings == SETTINGS
    assert manifest.prefix == "/api/plugins/board"
    assert [each.name for each in manifest.permissions] == ["board:z", "board:a"]
    _refused(CapabilityMissing, lambda: context.http, lambda: context.realtime)


def test_data(context: Context) -> None:
    data = context.data
    for key in ("b", "a", "a/b", "\U00010000", "\ufffd", "é", "B"):
        data.set(key, {"key": [key]})
    assert data.keys() == ["B", "a", "a/b", "b", "é", "\ufffd", "\U00010000"]
    assert list(data.items("a")) == [("a", {"key": ["a"]}), ("a/b", {"key": ["a/b"]})]
    data.get("a")["key"].append("changed")
    assert data.get("a") == {"key": ["a"]}
    data.set("none", None)
    assert data.get("none", 1) is None
    assert data.get("missing", 1) == 1
    assert (data.delete("a"), data.delete("a")) == (True, False)
    assert (data.clear(), data.clear()) == (7, 0)


def test_data_in_scopes(context: Context) -> None:
    data = context.data
    data.set("a", "local")
    data.scope("server", "1").set("a", "server")
    data.scope("profile", 1).set("a", "profile")
    assert data.scope("local").get("a") == "local"
    assert data.scope("server", "1").keys() == ["a"]
    assert data.scope("profile", "1").get("a") == "profile"
    assert data.scope("server", "2").keys() == []
    _refused(
        Invalid,
        lambda: data.scope("server"),
        lambda: data.scope("profile", ""),
        lambda: data.scope("local", "x"),
        lambda: data.scope("galaxy", "x"),  # type: ignore[arg-type]
        lambda: data.scope("server", "a\n"),
        lambda: data.scope("server", "a" * 256),
    )


def test_data_that_are_refused(context: Context) -> None:
    data = context.data
    for key in ("", "a" * 256, "a\n", "\x7f", "\x85", "\ud800"):
        _refused(
            Invalid,
            lambda key=key: data.get(key),
            lambda key=key: data.set(key, 1),
            lambda key=key: data.delete(key),
        )
    _refused(Invalid, lambda: data.set("a", object()), lambda: data.set("a", float("inf")))
    data.set("a", "é" * (2 * 1024 * 1024 - 1))
    _refused(TooLarge, lambda: data.set("a", "é" * (2 * 1024 * 1024)))


def test_transactions_of_data_and_database_are_one(context: Context) -> None:
    table = context.db.table("sounds")
    for begin in (context.data.transaction, context.db.transaction):
        with suppress(ZeroDivisionError), begin():
            context.data.set("a", 1)
            table.insert({"label": "lost"})
            context.events.emit("board.lost")
            raise ZeroDivisionError
    assert (context.data.keys(), table.count_where()) == ([], 0)
    with context.data.transaction():
        context.data.set("a", 1)
        with suppress(ZeroDivisionError), context.db.transaction():
            context.data.set("a", 2)
            table.insert({"label": "lost"})
            raise ZeroDivisionError
        table.insert({"label": "kept"})
    assert context.data.get("a") == 1
    assert [row["label"] for row in table.rows_where()] == ["kept"]


def test_others_read_what_is_committed(context: Context) -> None:
    context.data.set("a", "old")
    seen: list[Any] = []
    with context.data.transaction():
        context.data.set("a", "new")
        reader = threading.Thread(target=lambda: seen.append(context.data.get("a")))
        reader.start()
        reader.join(60)
    assert seen == ["old"]


def test_events(board: Board) -> None:
    events, data = board.context.events, board.context.data
    events.emit("board.added", {"labels": ["boo"]})
    with data.transaction():
        events.emit("board.renamed")
        with suppress(ZeroDivisionError), data.transaction():
            events.emit("board.lost")
            raise ZeroDivisionError
    events.emit("board.broken")
    events.emit("board.cleared")
    assert events.settle() is True
    names = [event.name.removeprefix("board.") for event in board.heard]
    assert names == ["added", "renamed", "broken", "cleared"]
    first = board.heard[0]
    assert (first.data, first.source) == ({"labels": ["boo"]}, "board")
    assert board.heard[1].data == {}
    assert len({event.id for event in board.heard}) == 4
    assert isinstance(first.at, int)


@pytest.mark.parametrize("name", ["added", "boards.added", "board.", "board.A", "board.a.b"])
def test_event_names_that_are_refused(context: Context, name: str) -> None:
    _refused(Invalid, lambda: context.events.emit(name))


def test_event_data_that_are_refused(context: Context) -> None:
    for data in ([1], "a", {"a": object()}, {"a": "x" * 300_000}):
        _refused(Invalid, lambda data=data: context.events.emit("board.added", data))


def test_settings(context: Context) -> None:
    settings = context.settings
    told: list[frozenset[str]] = []
    settings.on_change(told.append)
    assert settings.as_dict() == {"maxSounds": 5, "names": ["a"], "key": None}
    assert (list(settings), len(settings)) == (["maxSounds", "names", "key"], 3)
    assert ("key" in settings, "other" in settings) == (True, False)
    assert (settings["key"], settings.get("key", 1), settings.get("other", 1)) == (None, 1, 1)
    settings["names"].append("b")
    assert settings["names"] == ["a"]
    settings.update({"maxSounds": 6, "key": "k"})
    settings.update({"maxSounds": 6})
    settings.update({"maxSounds": None})
    assert settings["maxSounds"] == 3
    assert told == [frozenset({"maxSounds", "key"}), frozenset({"maxSounds"})]
    _refused(KeyError, lambda: settings["other"])
    _refused(
        Invalid,
        lambda: settings.update({"other": 1}),
        lambda: settings.update({"maxSounds": 9, "other": 1}),
        lambda: settings.update({"key": object()}),
    )
    assert settings["maxSounds"] == 3


def test_jobs(context: Context) -> None:
    jobs = context.jobs
    started = jobs.start("count", {"to": 3}, key="k")
    done = jobs.wait(started.id)
    assert (done.state, done.result) == ("succeeded", {"to": 3, "saved": None, "attempt": 1})
    assert (done.done, done.total, done.text, done.key) == (3, 9, "at work", "k")
    assert (done.attempt, done.error, done.cancel_requested) == (1, None, False)
    assert (done.plugin_id, done.name, done.args) == ("board", "count", {"to": 3})
    assert done.started_at is not None
    assert done.finished_at is not None
    assert jobs.get(started.id) == done
    assert jobs.cancel(started.id) is False
    assert jobs.start("count", {"to": 4}, key="k").id != started.id
    assert [info.args["to"] for info in jobs.list(limit=2)] == [4, 3]
    _refused(
        NotFound,
        lambda: jobs.start("missing"),
        lambda: jobs.get("x"),
        lambda: jobs.cancel("x"),
        lambda: jobs.wait("x"),
    )
    _refused(Invalid, lambda: jobs.start("count", {"to": object()}))


def test_jobs_that_fail(context: Context) -> None:
    failed = context.jobs.wait(context.jobs.start("count", {"to": 10}).id)
    assert (failed.state, failed.error, failed.attempt) == ("failed", "Too far.", 1)
    other = context.jobs.wait(context.jobs.start("count", {}).id)
    assert (other.state, other.error) == ("failed", "KeyError: 'to'")


def test_blobs(context: Context) -> None:
    blobs = context.blobs
    info = blobs.put("a/b", b"12345", "text/plain")
    assert (info.key, info.size, info.content_type) == ("a/b", 5, "text/plain")
    assert blobs.get("a/b").info == info
    blobs.put("c", io.BytesIO(b""))
    assert [each.key for each in blobs.list()] == ["a/b", "c"]
    assert [each.key for each in blobs.list("a/")] == ["a/b"]
    assert [each.key for each in blobs.list(after="a/b", limit=1)] == ["c"]
    assert blobs.read("a/b") == b"12345"
    with blobs.get("a/b").open(1, 2) as stream:
        assert stream.read() == b"23"
    assert (blobs.exists("c"), blobs.delete("c"), blobs.delete("c")) == (True, True, False)
    assert not blobs.exists("c")
    _refused(NotFound, lambda: blobs.get("c"), lambda: blobs.read("c"))
    for key in ("", "/a", "a/", "../a", "a\\b", "a\0"):
        _refused(
            Invalid,
            lambda key=key: blobs.put(key, b""),
            lambda key=key: blobs.get(key),
            lambda key=key: blobs.delete(key),
        )


def test_providers(context: Context) -> None:
    providers = context.providers
    assert providers.active("volume") == "LOUD"
    assert providers.get("volume", "quiet") == "QUIET"
    assert providers.chain("volume") == ["LOUD", "QUIET"]
    assert [(each.name, each.plugin_id, each.active) for each in providers.entries("volume")] == [
        ("loud", "board", True),
        ("quiet", "board", False),
    ]
    _refused(
        ProviderUnavailable,
        lambda: providers.active("missing"),
        lambda: providers.get("volume", "missing"),
    )
    assert list(providers.chain("missing")) == []
    assert list(providers.entries("missing")) == []


def test_services(context: Context) -> None:
    services = context.services
    assert services.find("nobody.store") is None
    _refused(ProviderUnavailable, lambda: services.get("nobody.store"))
    _refused(Forbidden, lambda: services.get("host.info"), lambda: services.find("host.info"))
    for name in ("store", "rooms.store", "board", "board.", "board.Store"):
        _refused(Invalid, lambda name=name: services.offer(name, object()))


def test_permissions(context: Context) -> None:
    permissions = context.permissions
    nobody, somebody, admin = Principal(), signed_in("board:a"), signed_in(ADMIN)
    assert permissions.allowed(somebody, "board:a")
    assert permissions.allowed(admin, "board:z")
    assert not permissions.allowed(somebody, "board:z")
    assert permissions.allowed(nobody, "board:z", True)
    assert not permissions.allowed(admin, "board:z", False)
    permissions.require(somebody, "board:a")
    _refused(Unauthenticated, lambda: permissions.require(nobody, "board:z"))
    with pytest.raises(Forbidden) as caught:
        permissions.require(somebody, "board:z")
    assert caught.value.message == "Missing permission: board:z"
    own = [each for each in permissions.available() if each.plugin_id == "board"]
    assert [each.name for each in own] == ["board:a", "board:z"]


def test_hooks(context: Context) -> None:
    hooks = context.hooks
    [answer] = hooks.call("board_volume", sound="boo", loud=True)
    assert (answer.plugin_id, answer.value, answer.error) == ("board", 2.0, None)
    [failed] = hooks.call("board_volume", sound="broken", loud=True)
    assert (failed.value, type(failed.error)) == (None, ZeroDivisionError)
    assert hooks.first("board_volume", sound="other", loud=True) is None
    assert hooks.first("board_volume", sound="boo", loud=True) == 2.0
    _refused(ZeroDivisionError, lambda: hooks.first("board_volume", sound="broken", loud=True))


def test_paths(context: Context) -> None:
    (context.paths.data / "file").write_text("x")
    assert (context.paths.data / "file").read_text() == "x"
    with context.paths.temporary() as folder:
        assert list(folder.iterdir()) == []
        (folder / "file").write_text("x")
    assert not folder.exists()


def test_clock(context: Context) -> None:
    clock = context.clock
    assert abs(clock.ms() / 1000 - clock.time()) < 5
    assert abs(clock.now().timestamp() - clock.time()) < 5
    assert clock.iso(1_001) == "1970-01-01T00:00:01.001Z"
    assert clock.iso().endswith("Z")
    assert len(clock.iso()) == 24


def test_migrations_have_run(context: Context) -> None:
    assert context.db.tables() == ["sounds"]
