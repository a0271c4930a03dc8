"""``stagebox doctor``: is this installation well?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator

import click

from host.app import Host
from host.cli.session import configured, managed_host
from plugin_sdk import StageboxError

__all__ = ["doctor"]

_MIN_FREE = 200 * 1024 * 1024


@click.command(short_help="Look for what is wrong here, and say what to do.")
@configured
def doctor() -> None:
    """Look for what is wrong with this installation, and say what to do. Exit status 1 when
    something is."""
    with managed_host() as host:
        click.echo(f"Stagebox {host.version}, Python {sys.version.split()[0]}")
        click.echo(f"Data directory: {host.config.data_dir}")
        serving = host.presence.others()
        for each in serving:
            click.echo(f"Serving: process {each.pid} on {', '.join(each.listeners)}")
        if not serving:
            click.echo("No server is running here.")
        found = list(_problems(host))
    for text in found:
        click.echo(f"! {text}")
    if found:
        sys.exit(1)
    click.echo("Everything looks well.")


def _problems(host: Host) -> Iterator[str]:
    data_dir = host.config.data_dir
    if not os.access(data_dir, os.W_OK):
        yield f"The data directory {data_dir} cannot be written: give this user the right to."
    if shutil.disk_usage(data_dir).free < _MIN_FREE:
        yield f"Less than {_MIN_FREE // 1024 // 1024} MiB are free in {data_dir}: make room."
    yield from host.manager.register.warnings
    yield from _database_problems(host)
    for entry in host.plugins.entries():
        for lost in entry.conflicts:
            yield lost.message
        outcome = host.manager.wishes.outcome(entry.id)
        fault = entry.fault or (outcome[2] if outcome else None)
        if fault is not None:
            yield f"Plugin {entry.id}: {fault.code}: {fault.message}"


def _database_problems(host: Host) -> Iterator[str]:
    for name in ("host", *host.engine.names()):
        try:
            host.engine.open(name).query("SELECT 1 AS one")
        except StageboxError as error:
            yield f"The database of {name} cannot be read: {error.message}"
