from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from host.db import Engine, HostDatabase
from host.db.postgresql import PostgresqlEngine
from host.testing import open_engine

_ROOT = Path(__file__).parents[3]

Script = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine: Any = open_engine(tmp_path / "data")
    yield engine
    engine.close()
    assert engine.connections == 0, "a connection was left open"


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[PostgresqlEngine]:
    """An engine on PostgreSQL, whichever the others are on."""
    engine = PostgresqlEngine(postgresql_url)
    yield engine
    engine.close()
    assert engine.connections == 0, "a connection was left open"


@pytest.fixture
def ask(postgresql_url: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """Another connection to the same database of PostgreSQL."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:

        def run(sql: str) -> list[tuple[Any, ...]]:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
def database(engine: Engine) -> HostDatabase:
    return engine.open("example.plugin")


@pytest.fixture
def script() -> Iterator[Script]:
    """Starts Python source as a process of its own; ended at the latest with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(source: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", source, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()
