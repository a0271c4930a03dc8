"""Databases for tests: one for each data directory, on a server that may be thrown away."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.errors import DuplicateDatabase, ObjectInUse, UniqueViolation

__all__ = ["database_for", "run_alone"]

_MAINTENANCE: Final = "postgres"
_STRATEGIES: Final = 150000
_PATIENCE_SECONDS: Final = 60.0


def database_for(url: str, folder: Path, template: str = "") -> str:
    """The URL of this folder's database; unless it is there, it is made as a copy of ``template``,
    which is the database that ``url`` names unless it is given. Nobody may be connected to it. The
    name begins with that of the one in ``url``."""
    base = urlsplit(url).path.removeprefix("/") or _MAINTENANCE
    template = template or base
    digest = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()
    name = f"{base}_{digest[:20]}"
    with psycopg.connect(_named(url, _MAINTENANCE), autocommit=True) as connection:
        strategy = ""  # without WAL to send, copying files takes a quarter of the time
        if connection.info.server_version >= _STRATEGIES:
            strategy = " STRATEGY FILE_COPY"
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}" + strategy)
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if known.fetchone() is None:
            try:
                run_alone(connection, make.format(sql.Identifier(name), sql.Identifier(template)))
            except (DuplicateDatabase, UniqueViolation):  # another process was first
                pass
    return _named(url, name)


def run_alone(connection: psycopg.Connection[Any], statement: sql.Composed) -> None:
    """Runs a statement for which nobody may be connected to a database. For those who are on
    their way out the server waits five seconds, this does for a minute; raises ObjectInUse."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            connection.execute(statement)
            return
        except ObjectInUse:
            if time.monotonic() >= deadline:
                raise


def _named(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))
