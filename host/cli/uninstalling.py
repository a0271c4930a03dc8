"""``stagebox plugin uninstall|purge``: removing plugins, and what they keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from host.app import Host
from host.cli.operator import OPERATOR
from host.cli.session import after_server, configured, echo_json, fail, is_terminal, managed_host
from host.plugins.inventory import data_files
from host.plugins.resolution import uninstall as uninstall_package
from host.settings import MASK
from plugin_sdk import Conflict, Invalid
from plugin_sdk.exports import write_export
from plugin_sdk.management import Holding, PluginEntry

__all__ = ["purge", "uninstall"]

_WORDS = {
    "database": "its database",
    "keys": "keys and values",
    "events": "events that nobody has heard yet",
    "blobs": "files in the storage",
    "files": "files of its own",
    "settings": "settings",
    "jobs": "jobs",
    "schedules": "schedules of jobs",
    "deprecations": "notes of deprecated calls",
    "code": "files of code",
}


@click.command(short_help="Remove what a plugin keeps, installed or not.")
@click.argument("plugin_id", metavar="ID")
@click.option("--all", "everything", is_flag=True, help="Its tables, files and settings, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@configured
def purge(plugin_id: str, everything: bool, yes: bool) -> None:
    """Remove the keys and values that a plugin keeps, also of one that is not installed any more.
    With --all, everything."""
    what = "everything that it keeps" if everything else "its keys and values"
    with managed_host(plugins=True) as host:
        if everything and plugin_id in host.manager.catalog.plugins:
            fail(f"{plugin_id} is active. Disable it before everything of it is purged.")
        if not yes and is_terminal():
            if everything:
                _show(host.plugins.holdings(plugin_id))
            click.confirm(f"Remove {what} of {plugin_id} for good?", abort=True)
        host.plugins.purge(plugin_id, "all" if everything else "data")
        host.audit.note(f"stagebox plugin purge {plugin_id}", principal=OPERATOR)
    click.echo(f"Purged {what} of {plugin_id}.")


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--purge", "with_data", is_flag=True, help="Remove everything that it keeps, too.")
@click.option(
    "--export",
    "target",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="First write all that it keeps into this ZIP file.",
)
@click.option("--dry-run", is_flag=True, help="Only show what there is of it, in rows and bytes.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: as one JSON object.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@configured
def uninstall(
    plugin_id: str, with_data: bool, target: Path | None, dry_run: bool, as_json: bool, yes: bool
) -> None:
    """Remove an installed plugin. Its data stay, for the day on which it comes back, unless --purge
    is given; afterwards nothing of it is left but the audit trail and the log.

    At a terminal you are shown what it keeps, and asked whether to export it and to remove it. An
    export is JSON Lines and files in a ZIP; secret settings are left out.
    """
    if as_json and not dry_run:
        raise click.UsageError("--json goes with --dry-run.")
    with managed_host(plugins=True) as host:
        entry = host.plugins.entry(plugin_id)
        if entry.bundled:
            raise Conflict(f"{plugin_id} is part of Stagebox; it can be disabled.")
        found = host.plugins.holdings(plugin_id)
        if dry_run and as_json:
            echo_json({"id": plugin_id, "holdings": [each.as_json() for each in found]})
            return
        if dry_run or (is_terminal() and not yes):
            _show(found)
        if dry_run:
            return
        if is_terminal() and not yes:
            with_data, target = _asked(plugin_id, with_data, target)
        _remove(host, entry, with_data, target)
    kept = [each for each in found if each.kind != "code"]
    stay = (
        "" if with_data or not kept else " Its data stay: stagebox plugin purge --all removes them."
    )
    click.echo(f"Uninstalled {plugin_id}.{stay}")


def _asked(plugin_id: str, with_data: bool, target: Path | None) -> tuple[bool, Path | None]:
    """What a person decides about the data. Leaves when nothing is to be done."""
    if target is None:
        name = click.prompt(
            "Export all that it keeps to a file (empty: no)", default="", show_default=False
        )
        target = Path(name).expanduser() if name else None  # no shell has done that
    if not with_data:
        with_data = click.confirm("Remove all that it keeps, for good?", default=False)
    click.confirm(f"Uninstall {plugin_id}?", abort=True)
    return with_data, target


def _remove(host: Host, entry: PluginEntry, with_data: bool, target: Path | None) -> None:
    plugin_id = entry.id
    if target is not None and target.exists():
        raise Conflict(f'"{target}" is there already; nothing was removed.')
    host.manager.refuse_disable(plugin_id)
    package = _own_package(host, plugin_id) if entry.source == "entry-point" else None
    if entry.state == "active" or entry.enabled:
        state, message = after_server(host, plugin_id, host.plugins.disable(plugin_id))
        if state != "disabled":
            raise Conflict(f"{plugin_id} is {state}: {message}. Nothing was removed.")
    if target is not None:
        _export(host, plugin_id, target)
    if package is not None:
        _remove_package(host, plugin_id, package, with_data)
    else:
        host.plugins.uninstall(plugin_id, purge=with_data)
    host.audit.note(f"stagebox plugin uninstall {plugin_id}", principal=OPERATOR)


def _export(host: Host, plugin_id: str, target: Path) -> None:
    folder = host.folders / plugin_id
    shown = host.settings.shown(plugin_id)
    part = target.with_name(f"{target.name}.part")
    try:
        write_export(
            host.data,
            plugin_id,
            part,
            settings={key: value for key, value in shown.items() if value != MASK},
            files=[(str(path.relative_to(folder)), path) for path in data_files(folder)],
        )
        part.replace(target)
    except OSError as error:
        raise Invalid(
            f'"{target}" cannot be written: {error.strerror}. {plugin_id} is disabled; nothing of '
            "it was removed."
        ) from None
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"Exported to {target} ({_size(target.stat().st_size)}).")


def _own_package(host: Host, plugin_id: str) -> str:
    """The Python package that holds the plugin. Raises Conflict for one with other plugins, too."""
    register = host.manager.register
    package = register.record(plugin_id).found.distribution
    found = [register.record(each).found for each in register.ids()]
    others = [each.id for each in found if each.distribution == package and each.id != plugin_id]
    if others:
        raise Conflict(
            f"The package {package} holds {', '.join(others)}, too: nothing was removed. "
            f"{plugin_id} can be disabled."
        )
    return package


def _remove_package(host: Host, plugin_id: str, package: str, with_data: bool) -> None:
    if with_data:
        host.plugins.purge(plugin_id, "all")
    uninstall_package(package)
    host.manager.wishes.forget(plugin_id)
    click.echo(f"Removed the package {package}; what it required stays installed.")


def _show(found: Sequence[Holding]) -> None:
    for each in found:
        what = {"table": f"table {each.name}", "elsewhere": f"in {each.name}"}.get(each.kind)
        count = "" if each.kind == "database" else f"{each.rows:,}"
        size = "" if each.bytes is None else _size(each.bytes)
        click.echo(f"  {count:>10}  {size:>10}  {what or _WORDS[each.kind]}")
    if not any(each.kind != "code" for each in found):
        click.echo("  It keeps nothing.")


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 10_000 else f"{count / 1024:,.0f} KiB"
