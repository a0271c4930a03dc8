"""``stagebox plugin new|dev|check|test|pack``: for people who write plugins."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import threading
import webbrowser
from pathlib import Path

import click

from host.app import Host
from host.authoring import Development, find_source, pack, scaffold
from host.authoring.checking import Report, check_plugin
from host.backup import BackupDesk
from host.cli.session import echo_json, given_flags, telling_errors
from host.config import load_config
from plugin_sdk import Invalid

__all__ = ["check", "dev", "new", "pack_", "test"]

_PATH = click.Path(path_type=Path)
_DATA = ".stagebox"


@click.command(short_help="Begin a plugin, with tests and what a package needs.")
@click.argument("plugin_id", metavar="ID")
@click.argument("folder", required=False, type=_PATH)
@click.option("--name", default="", help="As people shall read it.  [default: from the id]")
@click.option("--author", default="", help="Your name, for the manifest.")
def new(plugin_id: str, folder: Path | None, name: str, author: str) -> None:
    """Begin a plugin: a folder with a manifest, a module, tests, and all that a package needs."""
    with telling_errors():
        into = folder or Path(plugin_id.rpartition(".")[2])
        written = scaffold(plugin_id, into, name=name, author=author)
    for path in written:
        click.echo(f"  {path}")
    click.echo(f"Serve it, and edit it while it runs:  stagebox plugin dev {into}")


@click.command(short_help="Serve the plugin at PATH; load it anew when it is saved.")
@click.argument("path", type=_PATH, default=".")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:8085",
    show_default=True,
    help="Where to listen.",
)
@click.option("--open", "open_page", is_flag=True, help="Open its page in the browser.")
@click.option(
    "--data-dir",
    metavar="DIRECTORY",
    type=_PATH,
    help=f"Where data are kept.  [default: {_DATA} beside the plugin, nowhere for a single file]",
)
def dev(path: Path, listen: str, open_page: bool, data_dir: Path | None) -> None:
    """Serve the plugin at PATH (a project, a plugin folder, or one Python file), and load it anew
    whenever a file is saved.

    A version that does not start leaves the one before at work; its traceback is printed.
    """
    with telling_errors(), tempfile.TemporaryDirectory(prefix="stagebox-") as temporary:
        source = find_source(path)
        data_dir = data_dir or given_flags().get("data_dir")
        if data_dir is None:
            home = source.project or source.folder
            data_dir = Path(temporary) / "data" if home is None else home / _DATA
        flags = given_flags(data_dir=str(data_dir), listen=[listen], log_level="warn")
        config = load_config(flags, {})
        host = Host(config, env=os.environ, log_stream=sys.stderr)
        host.provide("backups", BackupDesk(config, os.environ))
        development = Development(host, source, Path(temporary) / "plugin", click.echo)
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        try:
            development.start()
            page = development.page()
            click.echo(f"{page}  (Ctrl-C ends)")
            if open_page:
                webbrowser.open(page)
            development.run(stopping)
        finally:
            development.stop()


@click.command(
    context_settings={"ignore_unknown_options": True},
    short_help="Run the tests of the plugin at PATH.",
)
@click.argument("path", type=_PATH, default=".")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(path: Path, arguments: tuple[str, ...]) -> None:
    """Run the tests of the plugin at PATH; further ARGUMENTS go to pytest."""
    if str(path).startswith("-"):  # PATH was left out
        path, arguments = Path(), (str(path), *arguments)
    with telling_errors():
        source = find_source(path)
        home = source.project or source.folder
        if home is None:
            raise Invalid("A plugin of one file has no tests: begin with `stagebox plugin new ID`.")
        _need_pytest("The tests need pytest: pip install pytest")
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    sys.exit(subprocess.run(command, cwd=home, check=False).returncode)  # noqa: S603


@click.command("pack", short_help="Make a package of the plugin at PATH.")
@click.argument("path", type=_PATH, default=".")
@click.option(
    "--into",
    metavar="DIRECTORY",
    type=_PATH,
    help="Where the package goes.  [default: dist beside the plugin]",
)
def pack_(path: Path, into: Path | None) -> None:
    """Make a package of the plugin at PATH that `stagebox plugin install` takes: a wheel where
    there is a pyproject.toml, else a ZIP."""
    with telling_errors():
        source = find_source(path)
        home = source.project or source.folder or Path()
        package = pack(source, into or home / "dist")
    click.echo(str(package))


@click.command(short_help="Look for mistakes in the plugin at PATH.")
@click.argument("path", type=_PATH, default=".")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--no-run", is_flag=True, help="Only read the files; run nothing of the plugin.")
def check(path: Path, as_json: bool, no_run: bool) -> None:
    """Look for mistakes in the plugin at PATH (a project, a plugin folder, or one Python file).

    The status is 1 with errors, 0 with warnings only. The plugin is run in a process of its own.
    """
    with telling_errors():
        if not no_run:
            _need_pytest(
                "To run the plugin, the test kit needs pytest: pip install pytest, or check with "
                "--no-run."
            )
        report = check_plugin(path, run=not no_run)
    if as_json:
        echo_json(report.as_json())
    else:
        _tell(report)
    sys.exit(1 if report.errors else 0)


def _need_pytest(otherwise: str) -> None:
    """`plugin_sdk.testing` needs it too. Raises Invalid with this sentence."""
    if importlib.util.find_spec("pytest") is None:
        raise Invalid(otherwise)


def _tell(report: Report) -> None:
    for finding in report.findings:
        place = ":".join(str(part) for part in (finding.file, finding.line) if part)
        click.echo(f"{place}: {finding.rule.severity} {finding.rule.name}: {finding.message}")
        click.echo(f"    {finding.rule.hint}")
    if report.findings:
        counts = ((report.errors, "error"), (report.warnings, "warning"))
        click.echo(", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts))
    else:
        click.echo(f"{report.plugin_id or 'The plugin'}: nothing to mend.")
