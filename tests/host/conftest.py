"""What tests of several layers share: an engine, the host's database, a transaction undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from host.db import Engine, HostDatabase
from host.testing import open_engine
from tests import waiting


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(tmp_path / "data", "normal")
    yield engine
    engine.close()


@pytest.fixture
def database(engine: Engine) -> HostDatabase:
    return engine.open("host")


@pytest.fixture
def undone() -> Callable[[Engine, str], AbstractContextManager[None]]:
    """A transaction on a database that is rolled back at its end."""

    class Undone(Exception):
        pass

    @contextmanager
    def transaction(engine: Engine, name: str) -> Iterator[None]:
        try:
            with engine.open(name).transaction():
                yield
                raise Undone
        except Undone:
            pass

    return transaction


@pytest.fixture
def eventually() -> Callable[..., object]:
    """`tests.waiting.eventually`."""
    return waiting.eventually
