"""What the plugin commands say of a plugin."""

from __future__ import annotations

import click

from plugin_sdk import CAPABILITIES, Manifest

__all__ = ["declared", "show_manifest"]


def declared(manifest: Manifest) -> list[str]:
    """What it uses and grants, a line each."""
    lines = [f"uses          {CAPABILITIES[name]} ({name})" for name in manifest.capabilities]
    lines += [f"permission    {each.name}: {each.description}" for each in manifest.permissions]
    return lines


def show_manifest(manifest: Manifest, replaces: str | None) -> None:
    """What would be installed."""
    over = f" (replaces {replaces})" if replaces else ""
    click.echo(f"{manifest.name} {manifest.version}{over}")
    if manifest.description:
        click.echo(f"  {manifest.description}")
    for line in declared(manifest):
        click.echo(f"  {line}")
