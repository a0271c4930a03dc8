"""``stagebox plugin uninstall|purge``: removing plugins, and what they keep."""

from __future__ import annotations

import click

from host.cli.operator import OPERATOR
from host.cli.session import after_server, configured, fail, is_terminal, managed_host

__all__ = ["purge", "uninstall"]


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--all", "everything", is_flag=True, help="Tables, files and settings too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@configured
def purge(plugin_id: str, everything: bool, yes: bool) -> None:
    """Remove the data of a plugin, also of one that is not installed any more."""
    what = "everything that it keeps" if everything else "its keys and values"
    if not yes and is_terminal():
        click.confirm(f"Remove {what} of {plugin_id} for good?", abort=True)
    with managed_host(plugins=True) as host:
        if everything and plugin_id in host.manager.catalog.plugins:
            fail(f"{plugin_id} is active. Disable it before everything of it is purged.")
        host.plugins.purge(plugin_id, "all" if everything else "data")
        host.audit.note(f"stagebox plugin purge {plugin_id}", principal=OPERATOR)
    click.echo(f"Purged {what} of {plugin_id}.")


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--purge", "with_data", is_flag=True, help="Remove everything that it keeps, too.")
@configured
def uninstall(plugin_id: str, with_data: bool) -> None:
    """Remove an installed plugin; its data stay unless --purge is given."""
    with managed_host(plugins=True) as host:
        entry = host.plugins.entry(plugin_id)
        if entry.source == "folder" and entry.state == "active":
            after_server(host, plugin_id, host.plugins.disable(plugin_id))
        host.plugins.uninstall(plugin_id, purge=with_data)
        host.audit.note(f"stagebox plugin uninstall {plugin_id}", principal=OPERATOR)
    click.echo(f"Uninstalled {plugin_id}.")
