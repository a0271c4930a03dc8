"""``stagebox migrate``."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import click

from host.app import open_engine
from host.app.presence import Presence
from host.backup import alone
from host.cli.progress import TerminalProgress
from host.cli.session import configured, settings_from
from host.clock import SystemClock
from host.config import Config
from host.config.options import OPTIONS
from host.db import Engine
from host.errors import ConfigurationError
from host.moving import Moved, move, refuse_unfinished
from plugin_sdk import Conflict, Invalid

__all__ = ["migrate", "refuse_half_moved"]


@click.command(short_help="Carry all data from SQLite to PostgreSQL, or back.")
@click.option(
    "--to",
    "target",
    required=True,
    metavar="URL|sqlite",
    help="A postgresql:// URL, or sqlite for files in the data directory.",
)
@configured
def migrate(target: str) -> None:
    """Carry all data into another database: from SQLite files to PostgreSQL, or back.

    Blobs and files stay where they are. The source is only read; the target must be empty, and a
    move that was cut short goes on where it stopped. No server may run.
    """
    config = settings_from()
    wanted = replace(config, database=_url(target))
    if wanted.database == config.database:
        raise ConfigurationError("The data lie there already: source and target are the same.")
    progress = TerminalProgress("rows")
    with alone(config.data_dir):
        try:
            moved = _move(config, wanted, progress)
        finally:
            progress.end()
    click.echo(
        f"{moved.databases} databases, {moved.tables} tables and {moved.rows:,} rows have arrived "
        "and were compared. The source is as it was."
    )
    click.echo(f"Now {_next_step(wanted)}.")


def refuse_half_moved(config: Config) -> None:
    """Raises Conflict for databases into which a move was begun and not ended."""
    engine = open_engine(config)
    try:
        refuse_unfinished(engine)
    finally:
        engine.close()


def _url(target: str) -> str:
    if target == "sqlite":
        return ""
    try:
        url: str = OPTIONS["database"].check(target)
    except Invalid as error:
        raise ConfigurationError(f'--to {error.message} Or write "sqlite".') from None
    return url


def _move(config: Config, wanted: Config, progress: TerminalProgress) -> Moved:
    source = open_engine(config)
    try:
        _refuse_running(source)
        refuse_unfinished(source)
        target = open_engine(wanted)
        try:
            return move(source, target, _identity(config), progress)
        finally:
            target.close()
    finally:
        source.close()


def _refuse_running(source: Engine) -> None:
    database = source.open("host")
    known = database.table("_stagebox_hosts").exists()
    others = Presence(database, SystemClock()).others() if known else []
    if others:
        raise Conflict(
            f"A server is running on these data (process {others[0].pid} on "
            f"{others[0].machine}): stop it first."
        )


def _identity(config: Config) -> str:
    """The source as a hash: its URL may hold a password."""
    return hashlib.sha256((config.database or str(config.data_dir)).encode()).hexdigest()


def _next_step(wanted: Config) -> str:
    if wanted.database:
        return 'put database = "postgresql://…" into stagebox.toml, or start with --database'
    return "take the database out of stagebox.toml, and start without --database"
