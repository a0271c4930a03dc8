"""The rows of the plugin ``bench`` in a database of their own, for peers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.benchmarks.plugins.bench import ROW_COLUMNS, sample_row

__all__ = ["write_rows"]


def write_rows(file: Path, count: int) -> Path:
    """The rows that the plugin has, in the same journal mode; returns the file."""
    names = ", ".join(ROW_COLUMNS)
    marks = ", ".join(f":{name}" for name in ROW_COLUMNS)
    columns = ", ".join(
        f"{name} {kind}{' PRIMARY KEY' if name == 'id' else ''}"
        for name, kind in ROW_COLUMNS.items()
    )
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"CREATE TABLE rows ({columns})")
        rows = (sample_row(number) for number in range(1, count + 1))
        connection.executemany(f"INSERT INTO rows ({names}) VALUES ({marks})", rows)
    return file
