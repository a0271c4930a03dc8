"""``stagebox plugin``: looking at plugins, and switching them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import click

from host.app import Host
from host.cli.authoring import check, dev, new, pack_, test
from host.cli.operator import OPERATOR
from host.cli.session import configured, echo_json, fail, managed_host, wait_for
from plugin_sdk import CAPABILITIES, Manifest, NotFound
from plugin_sdk.management import InstallPlan, PluginEntry, PluginState

__all__ = ["plugin"]

_SERVER_SECONDS = 60.0


@click.group()
def plugin() -> None:
    """List plugins, switch them on and off, install and remove them; write your own."""


for _command in (new, dev, check, test, pack_):
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
    for line in _declared(manifest):
        click.echo(f"  {line}")


@plugin.command()
@click.argument("plugin_id", metavar="ID")
@configured
def enable(plugin_id: str) -> None:
    """Switch a plugin on."""
    with managed_host(plugins=True) as host:
        entry = host.plugins.enable(plugin_id)
        host.audit.note(f"stagebox plugin enable {plugin_id}", principal=OPERATOR)
        state, message = _after_server(host, plugin_id, entry)
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
        _after_server(host, plugin_id, entry)
    click.echo(f"{plugin_id} is disabled.")


@plugin.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--all", "everything", is_flag=True, help="Tables, files and settings too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@configured
def purge(plugin_id: str, everything: bool, yes: bool) -> None:
    """Remove the data of a plugin, also of one that is not installed any more."""
    what = "everything that it keeps" if everything else "its keys and values"
    if not yes and _is_terminal():
        click.confirm(f"Remove {what} of {plugin_id} for good?", abort=True)
    with managed_host(plugins=True) as host:
        if everything and plugin_id in host.manager.catalog.plugins:
            fail(f"{plugin_id} is active. Disable it before everything of it is purged.")
        host.plugins.purge(plugin_id, "all" if everything else "data")
        host.audit.note(f"stagebox plugin purge {plugin_id}", principal=OPERATOR)
    click.echo(f"Purged {what} of {plugin_id}.")


@plugin.command()
@click.argument("source", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Accept what the plugin asks for.")
@configured
def install(source: Path, yes: bool) -> None:
    """Install a plugin from a folder, ZIP or wheel. It stays off until it is enabled; one that is
    active already is upgraded live."""
    with managed_host(plugins=True) as host:
        plan = host.plugins.inspect(source)
        _show_plan(plan)
        if not yes and _is_terminal():
            click.confirm("Install it?", abort=True)
            yes = True
        if host.presence.others():
            _install_in_server(host, source, yes)
        else:
            host.plugins.install(source, accept_additions=yes)
        host.audit.note(f"stagebox plugin install {plan.manifest.id}", principal=OPERATOR)
        entry = host.plugins.entry(plan.manifest.id)
    click.echo(f"Installed {plan.manifest.id} {plan.manifest.version}.")
    if entry.state != "active":
        click.echo(f"Switch it on with: stagebox plugin enable {plan.manifest.id}")


def _install_in_server(host: Host, source: Path, accept: bool) -> None:
    answer = host.installer.leave(source, accept_additions=accept)
    if not wait_for(answer.is_file, _SERVER_SECONDS):
        fail("The running server did not take the plugin over in time; look at its log.")
    document = json.loads(answer.read_text(encoding="utf-8"))
    answer.unlink()
    if document:
        fail(document["message"])


@plugin.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--purge", "with_data", is_flag=True, help="Remove everything that it keeps, too.")
@configured
def uninstall(plugin_id: str, with_data: bool) -> None:
    """Remove an installed plugin; its data stay unless --purge is given."""
    with managed_host(plugins=True) as host:
        entry = host.plugins.entry(plugin_id)
        if entry.source == "folder" and entry.state == "active":
            _after_server(host, plugin_id, host.plugins.disable(plugin_id))
        host.plugins.uninstall(plugin_id, purge=with_data)
        host.audit.note(f"stagebox plugin uninstall {plugin_id}", principal=OPERATOR)
    click.echo(f"Uninstalled {plugin_id}.")


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _as_seen(host: Host, entry: PluginEntry) -> PluginEntry:
    """The state that a serving process noted last, or what it would be at the next start."""
    outcome = host.manager.wishes.outcome(entry.id)
    if entry.fault is not None or entry.state == "incompatible":
        return entry
    if outcome is not None:
        return replace(entry, state=cast("PluginState", outcome[1]), fault=outcome[2])
    return replace(entry, state="active" if entry.enabled else "disabled")


def _after_server(host: Host, plugin_id: str, entry: PluginEntry) -> tuple[str, str]:
    """State and message once a running server has followed, or as this process saw it."""
    wish = host.manager.wishes.get(plugin_id)
    if wish is None or not host.presence.others():
        return entry.state, entry.fault.message if entry.fault else ""

    def followed() -> bool:
        outcome = host.manager.wishes.outcome(plugin_id)
        return outcome is not None and outcome[0] >= wish.version

    if not wait_for(followed, _SERVER_SECONDS):
        return "unknown", "the running server did not follow in time; look at its log"
    outcome = host.manager.wishes.outcome(plugin_id)
    if outcome is None:
        raise NotFound(f"The state of {plugin_id} is gone.")
    return outcome[1], outcome[2].message if outcome[2] else ""


def _show_plan(plan: InstallPlan) -> None:
    manifest = plan.manifest
    over = f" (replaces {plan.replaces})" if plan.replaces else ""
    click.echo(f"{manifest.name} {manifest.version}{over}")
    if manifest.description:
        click.echo(f"  {manifest.description}")
    for line in _declared(manifest):
        click.echo(f"  {line}")


def _declared(manifest: Manifest) -> list[str]:
    lines = [f"uses          {CAPABILITIES[name]} ({name})" for name in manifest.capabilities]
    lines += [f"permission    {each.name}: {each.description}" for each in manifest.permissions]
    return lines
