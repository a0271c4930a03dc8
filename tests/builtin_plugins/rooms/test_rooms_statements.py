"""The statements of the rooms find what they want by an index, and none is asked in vain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from builtin_plugins.rooms import (
    access,
    bans,
    deletions,
    files,
    logins,
    moderation,
    polling,
    posting,
    roles,
)
from builtin_plugins.rooms.spans import DAY_MS
from plugin_sdk import Plugin, hookimpl

HOT: Final = {
    "look": access._LOOK,
    "look at many": access._LOOK_MANY,
    "ban": bans._IS_BANNED,
    "moderators": roles._READ,
    "messages after": polling._MESSAGES_AFTER,
    "newest messages": polling._NEWEST_MESSAGES,
    "deletions after": polling._DELETIONS_AFTER,
    "newest deletions": polling._NEWEST_DELETIONS,
    "rate": posting._NTH_NEWEST,
    "draw": posting._DRAW,
    "pending": logins._PENDING,
    "drop pending": logins._DROP_OWN,
    "drop oldest": logins._DROP_OLDEST,
    "prune pending": logins._PRUNE_PENDING,
    "prune claimed": logins._PRUNE_CLAIMED,
    "of author": moderation._OF_AUTHOR,
    "count": moderation._COUNT,
    "count banned": moderation._BANNED,
    "next end": moderation._NEXT_END,
    "living": deletions._LIVING,
    "bury": deletions._BURY,
    "recorded": deletions._RECORDED,
    "over": f"DELETE FROM files WHERE {files._OVER}",
}


@pytest.mark.one_engine
@pytest.mark.parametrize("name", HOT)
def test_no_table_is_read_as_a_whole(rooms: Any, name: str) -> None:
    """By the plan of SQLite; the names of parameters are those of all statements."""
    params: dict[str, Any] = {f"n{number}": 1 for number in range(400)}
    params |= dict.fromkeys(("room", "key", "digest"), "x")
    params |= {f"{name}{number}": "x" for name in ("room", "digest") for number in range(16)}
    params |= dict.fromkeys(
        (
            *("now", "cursor", "limit", "skipped", "oldest", "batch", "surplus"),
            *("latest", "dead", "given_up", "version"),
        ),
        DAY_MS,
    )
    statement = HOT[name]
    used = {key: value for key, value in params.items() if f":{key}" in statement}
    if rooms.db.engine != "sqlite":
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's")
    for step in rooms.db.query(f"EXPLAIN QUERY PLAN {statement}", used):
        scanned = step["detail"].startswith("SCAN") and step["detail"].split()[1] not in (
            "banned",
            "asked",
            "16",
        )
        assert not scanned, step["detail"]
        assert "TEMP B-TREE FOR ORDER BY" not in step["detail"], step["detail"]


class Seeder(Plugin):
    """Brings a room of its own."""

    @hookimpl
    def rooms_seed(self, store: Any) -> None:
        store.save_room({"id": "seeded", "name": "Seeded"})


def test_plugins_may_bring_rooms(make_host: Any, wait_until: Any) -> None:
    host = make_host(Seeder)
    database = host.plugin("rooms").context.db
    wait_until(lambda: database.table("rooms").get("seeded"))
    assert database.table("open_groups").get("seeded") is None


class Counting:
    """A database of which it is known how often it was asked."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        return getattr(self._database, name)


def test_numbers_that_nobody_has_cost_nothing(
    rooms: Any, refused: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever names very many does not keep other writers waiting."""
    room = rooms.add()
    moderator, alice, bob = rooms.moderator(room), rooms.client(room), rooms.client(room)
    alice.post(room)
    bob.post(room)
    counting = Counting(rooms.db)
    monkeypatch.setattr(rooms.plugin.core.deletions, "_db", counting)
    assert refused(bob.delete, room, *range(1, 40_001)) == 403
    bob.delete(room, *range(3, 40_001))
    assert counting.asked == 1
    moderator.delete(room, *range(-5, 40_001))
    assert counting.asked < 5
    assert len(bob.deletions(room)) == 2
