"""``stagebox plugin``: looking at plugins, and switching them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import click

from host.app import Host
from host.cli.authoring import check, dev, new, pack_, test
from host.cli.installing import install
from host.cli.operator import OPERATOR
from host.cli.plugin_texts import declared
from host.cli.session import after_server, configured, echo_json, fail, managed_host
from host.cli.uninstalling import purge, uninstall
from plugin_sdk.management import PluginEntry, PluginState

__all__ = ["plugin"]


@click.group(short_help="List, switch, install, remove and write plugins.")
def plugin() -> None:
    """List plugins, switch them on and off, install and remove them; write your own."""


for _command in (new, dev, check, test, pack_, install, uninstall, purge):
    plugin.add_command(_command)


@plugin.command("list")
@click.option("--json", "as_json", is_flag=True, help="As one JSON array.")
@configured
def list_(as_json: bool) -> None:
    """All plugins that were found, with their state."""
    with managed_host() as host:
        entries = [_as_seen(host, entry) for entry in host.plugins.entries()]
    if as_json:
        echo_json([entry.as_json() for entry in entries])
        return
    width = max((len(entry.id) for entry in entries), default=0)
    for entry in entries:
        version = entry.manifest.version if entry.manifest else "?"
        fault = f"  {entry.fault.code}: {entry.fault.message}" if entry.fault else ""
        click.echo(f"{entry.id:<{width}}  {version:<8}  {entry.state:<12}  {entry.source}{fault}")


@plugin.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@configured
def info(plugin_id: str, as_json: bool) -> None:
    """Everything that is known of one plugin."""
    with managed_host() as host:
        entry = _as_seen(host, host.plugins.entry(plugin_id))
    if as_json:
        echo_json(entry.as_json())
        return
    manifest = entry.manifest
    click.echo(f"{entry.id} {manifest.version if manifest else '?'}")
    click.echo(f"  state         {entry.state}")
    click.echo(f"  source        {entry.source}")
    if entry.fault:
        click.echo(f"  error         {entry.fault.code}: {entry.fault.message}")
    if manifest is None:
        return
    if manifest.description:
        click.echo(f"  description   {manifest.description}")
    click.echo(f"  routes        {', '.join(manifest.claims)}")
    if manifest.requires:
        click.echo(f"  requires      {', '.join(manifest.requires)}")
    for line in declared(manifest):
        click.echo(f"  {line}")


@plugin.command()
@click.argument("plugin_id", metavar="ID")
@configured
def enable(plugin_id: str) -> None:
    """Switch a plugin on, and so agree to what it asks for."""
    with managed_host(plugins=True) as host:
        _show_wishes(host.plugins.entry(plugin_id))
        entry = host.plugins.enable(plugin_id)
        host.audit.note(f"stagebox plugin enable {plugin_id}", principal=OPERATOR)
        state, message = after_server(host, plugin_id, entry)
    if state != "active":
        fail(f"{plugin_id} is {state}: {message}")
    click.echo(f"{plugin_id} is active.")


@plugin.command()
@click.argument("plugin_id", metavar="ID")
@configured
def disable(plugin_id: str) -> None:
    """Switch a plugin off; its data stay."""
    with managed_host(plugins=True) as host:
        entry = host.plugins.disable(plugin_id)
        host.audit.note(f"stagebox plugin disable {plugin_id}", principal=OPERATOR)
        state, message = after_server(host, plugin_id, entry)
    if state != "disabled":
        fail(f"{plugin_id} is {state}: {message}")
    click.echo(f"{plugin_id} is disabled.")


def _show_wishes(entry: PluginEntry) -> None:
    """What nobody agreed to yet, or what is new of it; of built-ins nothing is asked."""
    if entry.manifest is None or entry.bundled:
        return
    if entry.confirmed is None:
        for line in declared(entry.manifest):
            click.echo(f"  {line}")
    elif entry.added:
        click.echo(f"{entry.id} asks for more than was confirmed: {', '.join(entry.added)}.")


def _as_seen(host: Host, entry: PluginEntry) -> PluginEntry:
    """The state that a serving process noted last, or what it would be at the next start."""
    outcome = host.manager.wishes.outcome(entry.id)
    if entry.fault is not None or entry.state == "incompatible":
        return entry
    record = host.manager.register.record(entry.id)
    waits = host.manager.unconfirmed(record) if entry.enabled else None
    if waits is not None and not host.presence.others():
        return replace(entry, state="errored", fault=waits)
    if outcome is not None:
        return replace(entry, state=cast("PluginState", outcome[1]), fault=outcome[2])
    return replace(entry, state="active" if entry.enabled else "disabled")
