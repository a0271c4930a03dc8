"""Writes wait for whoever writes; and what a save tells others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

import pytest

from builtin_plugins.rooms import writing
from plugin_sdk import DatabaseUnavailable, Invalid, Plugin, hookimpl


class Busy:
    """A plugin's context whose transactions begin when others have ended theirs; each try takes a
    while."""

    def __init__(self, refusals: int, takes: float) -> None:
        self.refusals = refusals
        self.takes = takes
        self.now = 0.0

    @property
    def db(self) -> Busy:
        return self

    def monotonic(self) -> float:
        return self.now

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self.refusals:
            self.refusals -= 1
            self.now += self.takes
            raise DatabaseUnavailable
        yield


@pytest.mark.parametrize(
    ("refusals", "takes", "patience", "done"),
    [
        (3, 10.0, None, True),
        (9, 10.0, None, False),
        (9, 10.0, 600.0, True),
        (99, 10.0, 600.0, False),
        (1, 0.1, None, False),
    ],
)
def test_who_writes_waits_for_the_turn(
    monkeypatch: pytest.MonkeyPatch,
    refusals: int,
    takes: float,
    patience: float | None,
    done: bool,
) -> None:
    busy: Any = Busy(refusals, takes)
    monkeypatch.setattr(writing, "time", busy)
    worked: list[int] = []
    arguments = () if patience is None else (patience,)
    with (
        nullcontext() if done else pytest.raises(DatabaseUnavailable),
        writing.Writing(busy).transaction(*arguments),
    ):
        worked.append(1)
    assert worked == [1] * done


def test_work_that_fails_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    busy: Any = Busy(0, 0)
    monkeypatch.setattr(writing, "time", busy)
    tried: list[int] = []

    def work() -> None:
        with writing.Writing(busy).transaction():
            tried.append(1)
            busy.now += 30
            raise DatabaseUnavailable

    with pytest.raises(DatabaseUnavailable):
        work()
    assert tried == [1]


class Listener(Plugin):
    """Hears what is saved and removed."""

    manifest: ClassVar = {"id": "example.listener"}
    heard: ClassVar[list[Any]] = []

    @hookimpl
    def rooms_saved(self, kind: str, id: str, doc: Any) -> None:
        self.heard.append((kind, id, doc))

    @hookimpl
    def rooms_removed(self, kind: str, id: str) -> None:
        self.heard.append((kind, id))


def test_what_is_saved_is_told(make_host: Any) -> None:
    host = make_host(Listener)
    heard = Listener.heard
    heard.clear()
    store = host.plugin("rooms").store
    room = store.save_room({"name": "x"})
    ban = store.ban("r", "u", timestamp=1)
    store.unban("r", "u")
    with pytest.raises(Invalid):
        store.save_room({"id": "x", "name": ""})
    assert heard == [("room", room["id"], room), ("ban", "r/u", ban), ("ban", "r/u")]
    heard.clear()
    with store.batch():
        member = store.add_member("r", "u", joined_at=1)
        assert heard == [], "it is told after the commit"
    store.remove_member("r", "u")
    assert heard == [("member", "r/u", member), ("member", "r/u")]
    assert member == {"roomId": "r", "userId": "u", "joinedAt": 1}
