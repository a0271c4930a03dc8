"""An import waits for whoever writes; and what a save tells others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from builtin_plugins.rooms.local import importing
from plugin_sdk import DatabaseUnavailable, Invalid, Plugin, hookimpl


class Busy:
    """A core whose transactions begin when others have ended theirs; each try takes a while."""

    def __init__(self, clock: Any, refusals: int, takes: float) -> None:
        self.clock = clock
        self.refusals = refusals
        self.takes = takes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self.refusals:
            self.refusals -= 1
            self.clock.now += self.takes
            raise DatabaseUnavailable
        yield


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("refusals", "takes", "done"), [(3, 10.0, True), (99, 10.0, False), (1, 0.1, False)]
)
def test_an_import_waits_for_its_turn(
    monkeypatch: pytest.MonkeyPatch, refusals: int, takes: float, done: bool
) -> None:
    clock = Clock()
    monkeypatch.setattr(importing, "time", clock)
    worked: list[int] = []
    core: Any = Busy(clock, refusals, takes)
    if done:
        importing.in_turn(core, lambda: worked.append(1))
    else:
        with pytest.raises(DatabaseUnavailable):
            importing.in_turn(core, lambda: worked.append(1))
    assert worked == [1] * done


def test_work_that_fails_is_not_tried_again() -> None:
    tried: list[int] = []

    def work() -> None:
        tried.append(1)
        raise DatabaseUnavailable

    core: Any = Busy(Clock(), 0, 0)
    with pytest.raises(DatabaseUnavailable):
        importing.in_turn(core, work)
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
