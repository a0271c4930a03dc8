"""The PostgreSQL engine keeps the SDK's promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.db import HostDatabase
from host.db.postgresql import PostgresqlEngine
from host.db.postgresql.throwaway import database_for
from plugin_sdk.testing.database_suite import DatabaseSuite

pytestmark = pytest.mark.one_engine


@pytest.fixture(scope="module")
def engine(
    postgresql_template: str, made_databases: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresqlEngine]:
    before = made_databases.names()
    folder: Path = tmp_path_factory.mktemp("data")
    engine = PostgresqlEngine(database_for(postgresql_template, folder))
    yield engine
    engine.close()
    assert engine.connections == 0
    made_databases.remove(before)


class TestPostgresql(DatabaseSuite):
    @pytest.fixture
    def database(self, engine: PostgresqlEngine) -> Iterator[HostDatabase]:
        yield engine.open("example.plugin")
        engine.drop("example.plugin")
