"""A real database beside the memory of a fake context: one transaction, migrations, both ways."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from plugin_sdk import (
    CAPABILITIES,
    Plugin,
    migration,
)
from plugin_sdk.testing import FakeContext, installed
from tests.sdk.testing.memory_database import MemoryDatabase


@pytest.fixture
def opened() -> list[tuple[Path, MemoryDatabase]]:
    return []


@pytest.fixture
def open_memory(opened: list[tuple[Path, MemoryDatabase]]) -> Callable[[Path], Any]:
    def open_database(folder: Path) -> MemoryDatabase:
        assert list(folder.iterdir()) == []
        opened.append((folder, MemoryDatabase()))
        return opened[-1][1]

    return open_database


def _both(context: FakeContext) -> list[AbstractContextManager[None]]:
    return [context.data.transaction(), context.db.transaction()]


def test_a_real_database_shares_the_transaction(
    open_memory: Callable[[Path], Any], opened: list[tuple[Path, MemoryDatabase]]
) -> None:
    def fail(context: FakeContext, transaction: AbstractContextManager[None]) -> None:
        with transaction:
            context.data.set("a", 1)
            rows.append("row")
            context.events.emit("example.test.added")
            raise ZeroDivisionError

    with FakeContext(database=open_memory) as context:
        assert opened == []
        assert context.db is context.db
        rows = opened[0][1].rows
        for number in range(2):
            with pytest.raises(ZeroDivisionError):
                fail(context, _both(context)[number])
            rows = opened[0][1].rows
            assert (rows, context.data.keys(), context.events.emitted) == ([], [], [])
        with context.db.transaction():
            context.data.set("a", 1)
            rows.append("row")
            context.events.emit("example.test.added")
        assert (rows, context.data.get("a"), len(context.events.emitted)) == (["row"], 1, 1)
    assert opened[0][1].closed
    assert not opened[0][0].exists()


def test_a_database_opened_inside_a_transaction_is_part_of_it(
    open_memory: Callable[[Path], Any], opened: list[tuple[Path, MemoryDatabase]]
) -> None:
    def fail(context: FakeContext) -> None:
        with context.data.transaction():
            with context.data.transaction():
                assert context.db.engine == "sqlite"
                opened[0][1].rows.append("row")
            raise ZeroDivisionError

    with FakeContext(database=open_memory) as context:
        with pytest.raises(ZeroDivisionError):
            fail(context)
        assert opened[0][1].rows == []


class Migrating(Plugin):
    fails = False

    @migration("001")
    def first(self, db: Any) -> None:
        db.rows.append("first")

    @migration("002")
    def second(self, db: Any) -> None:
        db.rows.append("second")
        if self.fails:
            raise ZeroDivisionError


def test_migrations_run_once_and_each_whole(
    open_memory: Callable[[Path], Any],
    opened: list[tuple[Path, MemoryDatabase]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FakeContext(database=open_memory) as context:
        monkeypatch.setattr(Migrating, "fails", True)
        with pytest.raises(ZeroDivisionError):
            context.start(Migrating)
        assert (context.migrated, opened[0][1].rows) == (["001"], ["first"])
        monkeypatch.setattr(Migrating, "fails", False)
        for _ in range(2):
            context.stop(context.start(Migrating))
        assert (context.migrated, opened[0][1].rows) == (["001", "002"], ["first", "second"])


def test_all_capabilities_are_there_by_default(open_memory: Callable[[Path], Any]) -> None:
    with FakeContext(database=open_memory) as context:
        for member in sorted({name.partition(".")[0] for name in CAPABILITIES}):
            if member not in ("websocket", "commands"):
                assert getattr(context, member) is not None


def test_without_a_host_the_sentence_is_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugin_sdk.testing.hosts.entry_points", lambda **_: [])
    with FakeContext() as context, pytest.raises(RuntimeError, match="pip install stagebox"):
        context.db  # noqa: B018
    with pytest.raises(RuntimeError, match='entry point "host"'):
        installed("host")
