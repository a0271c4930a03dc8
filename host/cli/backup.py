"""``stagebox backup`` and ``stagebox restore``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from host.backup import occupied, take_backup
from host.backup import restore as put_back
from host.cli.progress import TerminalProgress
from host.cli.session import configured, settings_from

__all__ = ["backup", "restore"]


@click.command(short_help="Write all data into FILE, a ZIP archive.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@configured
def backup(file: Path) -> None:
    """Write everything that this host keeps into FILE, a ZIP archive.

    Databases, blobs, installed plugins and their files; not stagebox.toml and the logs. Works
    beside a running server. The archive holds secrets: keep it like a password.
    """
    config = settings_from()
    progress = TerminalProgress()
    with occupied(config.data_dir):
        try:
            taken = take_backup(config, os.environ, file, progress)
        finally:
            progress.end()
    for path in taken.left_out:
        click.echo(f"Left out, as no plain file: plugins/{path}", err=True)
    click.echo(
        f"{file}: {taken.databases} databases, {taken.files} files, {taken.blobs} blobs, "
        f"{taken.size:,} bytes. stagebox.toml is not in it."
    )


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put it in place of the data that are there.")
@configured
def restore(file: Path, replace: bool) -> None:
    """Put the backup FILE in place of this host's data.

    Everything is checked before anything is replaced, and replaced at once; stagebox.toml and the
    logs stay as they are. The server must not run.
    """
    config = settings_from()
    progress = TerminalProgress()
    try:
        done = put_back(config, os.environ, file, progress, replace_data=replace)
    finally:
        progress.end()
    click.echo(
        f"Restored the backup of {done.created} (Stagebox {done.version}): {done.databases} "
        f"databases, {done.files} files, {done.blobs} blobs."
    )
