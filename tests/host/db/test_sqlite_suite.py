"""The SQLite engine keeps the SDK's promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.db import HostDatabase, SqliteEngine
from plugin_sdk.testing.database_suite import DatabaseSuite


class TestSqlite(DatabaseSuite):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[HostDatabase]:
        engine = SqliteEngine(tmp_path)
        yield engine.open("example.plugin")
        engine.close()
        assert engine.connections == 0
