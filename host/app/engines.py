"""Where a host keeps its data: the engine that its configuration names."""

from __future__ import annotations

from typing import Literal

from host.config import Config
from host.db import Engine, SqliteEngine
from host.errors import ConfigurationError

__all__ = ["open_engine"]


def open_engine(config: Config) -> Engine:
    """The engine that keeps the data of a host with this configuration.

    Raises ConfigurationError for a URL that cannot be used, DatabaseUnavailable for a server that
    does not answer; neither repeats the password."""
    durability: Literal["full", "normal"] = "normal" if config.durability == "normal" else "full"
    if not config.database:
        return SqliteEngine(config.data_dir, durability)
    try:
        from host.db.postgresql import PostgresqlEngine
    except ImportError as error:
        raise ConfigurationError(
            "A PostgreSQL database needs psycopg: install stagebox[postgres].", key="database"
        ) from error
    engine = PostgresqlEngine(config.database, durability)
    engine.check()
    return engine
