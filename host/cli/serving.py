"""``stagebox serve``."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import click

from host.app import Host
from host.backup import BackupDesk, occupied, restore_pending
from host.cli.fleet import serve_fleet
from host.cli.moving import refuse_half_moved
from host.cli.progress import TerminalProgress
from host.cli.session import configured, fail, given_flags, settings_from
from host.config import Config
from host.errors import ConfigurationError
from host.server import server_of
from plugin_sdk.operations import HostProcess

__all__ = ["serve"]

_STOP_SECONDS = 30.0
_GARBAGE = (10_000, 20, 20)
"""Objects before the collector looks (Python: 700, 10, 10). Requests leave few cycles behind, and
each look is a pause of all threads."""
_PATIENCE_SECONDS = 3.0


@click.command()
@click.option(
    "--listen",
    multiple=True,
    metavar="HOST:PORT",
    help="Where to listen; may be given several times.  [default: 127.0.0.1:8085]",
)
@click.option(
    "--server",
    metavar="NAME",
    help="waitress, or granian for several processes.  [default: waitress]",
)
@click.option("--workers", type=int, help="Processes, with granian.  [default: 2]")
@click.option(
    "--websocket-port",
    type=int,
    help="Where WebSockets are, with granian.  [default: the port behind that of --listen]",
)
@click.option("--threads", type=int, help="Worker threads, of each process.  [default: 16]")
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A host name by which clients may call this host; may be given several times.",
)
@click.option("--safe-mode", is_flag=True, default=None, help="Start with bundled plugins only.")
@click.option(
    "--log-level",
    metavar="LEVEL",
    help="error, warn, info, http or debug.  [default: info]",
)
@click.option(
    "--log-format",
    metavar="FORMAT",
    help="text or json, on standard error.  [default: text]",
)
@configured
def serve(**flags: Any) -> None:
    """Start the host and answer until SIGTERM or Ctrl-C.

    Each option may also stand in the environment (STAGEBOX_THREADS=8) or, for good, in the file
    stagebox.toml of the data directory (threads = 8).
    """
    config = settings_from(**flags)
    _restore_pending(config)
    again = False
    with occupied(config.data_dir):
        refuse_half_moved(config)
        if config.server == "granian":
            serve_fleet(config, given_flags(**flags), _greet)
        else:
            again = _serve(config)
    if again:
        # In place, so that whoever supervises this process keeps it.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # our own


def _restore_pending(config: Config) -> None:
    """The backup that an administrator chose to go back to while the host ran."""
    progress = TerminalProgress()
    try:
        outcome = restore_pending(config, os.environ, progress)
    finally:
        progress.end()
    if outcome is not None:
        verb = "Restored" if outcome.succeeded else "Could not restore"
        click.echo(f"{verb} {outcome.name}: {outcome.message}", err=not outcome.succeeded)


class _Process(HostProcess):
    """``host.process``."""

    def __init__(self, stopping: threading.Event) -> None:
        self.again = False
        self._stopping = stopping

    def restart(self) -> None:
        self.again = True
        self._stopping.set()


def _serve(config: Config) -> bool:
    """Whether it shall start again."""
    host = Host(config, env=os.environ, log_stream=sys.stderr)
    for library in ("stagebox", "waitress", "concurrent"):
        host.logs.adopt(library)  # what libraries say belongs into the same log
    stopping = threading.Event()
    process = _Process(stopping)
    host.provide("process", process)
    host.provide("backups", BackupDesk(config, os.environ))

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        gc.disable()  # what is made now stays: collecting over it would only cost pauses
        host.start(patience=_PATIENCE_SECONDS)
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        gc.enable()
        server = server_of(host)
        try:
            server.start()
        except ConfigurationError as error:
            fail(error.message)
        host.serve(server.addresses, server.hub.close_gone)
        _greet(host)
        # A signal that comes in the moment before the wait begins is only noticed at its end.
        while not stopping.wait(timeout=0.5):
            pass
        click.echo("Stopping: finishing what is under way.", err=True)
        server.stop(_STOP_SECONDS)
    finally:
        host.stop()
    return process.again


def _greet(host: Host) -> None:
    """What to open, for the person who just started it."""
    urls = list(host.info.listeners())
    click.echo(f"Stagebox {host.version} listens on {', '.join(urls)}")
    base = urls[0]
    for published in host.manager.catalog.plugins.values():
        for page in published.pages:
            icon = f"{page.icon} " if page.icon else ""
            click.echo(f"  {icon}{page.title}: {base}{published.manifest.prefix}{page.path}")
    troubled = [entry for entry in host.plugins.entries() if entry.fault is not None]
    for entry in troubled:
        assert entry.fault is not None
        click.echo(f"  Plugin {entry.id} is {entry.state}: {entry.fault.message}", err=True)
    sys.stdout.flush()
