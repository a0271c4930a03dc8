"""Databases for tests: one for each data directory, on a server that may be thrown away."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.errors import DuplicateDatabase, UniqueViolation

__all__ = ["database_for"]

_MAINTENANCE: Final = "postgres"
_STRATEGIES: Final = 150000


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
                connection.execute(make.format(sql.Identifier(name), sql.Identifier(template)))
            except (DuplicateDatabase, UniqueViolation):  # another process was first
                pass
    return _named(url, name)


def _named(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))
