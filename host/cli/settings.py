"""``stagebox settings``."""

from __future__ import annotations

import json
from typing import Any

import click

from host.cli.operator import OPERATOR
from host.cli.session import await_servers, configured, echo_json, fail, managed_host
from host.suggestions import suggestion_suffix

__all__ = ["settings"]


@click.group()
def settings() -> None:
    """Read and change the settings of plugins."""


@settings.command(short_help="Print settings of PLUGIN as JSON; secrets are masked.")
@click.argument("plugin_id", metavar="PLUGIN")
@click.argument("key", required=False)
@configured
def get(plugin_id: str, key: str | None) -> None:
    """Print the settings of PLUGIN, or one of them, as JSON; secrets are masked."""
    with managed_host() as host:
        values = host.settings.shown(plugin_id)
    if key is None:
        echo_json(dict(values))
    elif key in values:
        echo_json(values[key])
    else:
        suggestion = suggestion_suffix(key, values)
        fail(f'{plugin_id} has no setting "{key}".{suggestion}')


@settings.command(context_settings={"ignore_unknown_options": True})  # -1 is a value
@click.argument("plugin_id", metavar="PLUGIN")
@click.argument("key")
@click.argument("value", metavar="[JSON]", required=False)
@configured
def set(plugin_id: str, key: str, value: str | None) -> None:
    """Store a setting of PLUGIN: a JSON value, or plain text. Without a value it goes back to its
    default."""
    with managed_host() as host:
        shown = host.settings.update(plugin_id, {key: _parse(value)})
        host.manager.wishes.bump()
        host.audit.note(f"stagebox settings set {plugin_id} {key}", principal=OPERATOR)
        await_servers(host)
    echo_json(shown.get(key))


def _parse(value: str | None) -> Any:
    """JSON where it is some; anything else is meant as text."""
    if value is None:
        return None
    try:
        return json.loads(value)
    except ValueError:
        return value
