"""``stagebox provider``."""

from __future__ import annotations

import click

from host.cli.operator import OPERATOR
from host.cli.session import await_servers, configured, echo_json, managed_host

__all__ = ["provider"]


@click.group(short_help="See and choose who stores files or finds metadata.")
def provider() -> None:
    """See and choose what stores files, finds metadata, and so on."""


@provider.command("list")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@configured
def list_(as_json: bool) -> None:
    """All providers of active plugins, by type."""
    with managed_host(plugins=True) as host:
        listing = host.providers.entries()
    if as_json:
        echo_json(
            {
                type: [
                    {
                        "name": each.name,
                        "pluginId": each.plugin_id,
                        "active": each.active,
                        "chosen": each.chosen,
                    }
                    for each in entries
                ]
                for type, entries in listing.items()
            }
        )
        return
    for type, entries in listing.items():
        click.echo(type)
        if not entries:
            click.echo("  (none)")
        for each in entries:
            mark = "*" if each.active else " "
            click.echo(f"  {mark} {each.name}  ({each.plugin_id})")


@provider.command()
@click.argument("type")
@click.argument("name")
@configured
def use(type: str, name: str) -> None:
    """Choose the provider NAME for TYPE."""
    with managed_host(plugins=True) as host:
        host.providers.choose(type, name)
        host.audit.note(f"stagebox provider use {type} {name}", principal=OPERATOR)
        await_servers(host)
    click.echo(f"{type}: {name} is chosen.")
