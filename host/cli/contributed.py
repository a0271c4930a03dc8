"""Commands that plugins contribute, made into click commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO

import click

from host.cli.session import managed_host, telling_errors
from plugin_sdk import Argument, Command, CommandIO, StageboxError

__all__ = ["contributed_commands"]

_KEY = "stagebox.contributed"


def contributed_commands(ctx: click.Context) -> dict[str, click.Command]:
    """By name, of all plugins that are on. Looked up once; the host stays for the command."""
    root = ctx.find_root()
    known: dict[str, click.Command] | None = root.meta.get(_KEY)
    if known is not None:
        return known
    try:
        host = root.with_resource(managed_host(plugins=True))
    except StageboxError as error:
        click.echo(f"Commands of plugins are not available: {error.message}", err=True)
        root.meta[_KEY] = {}
        return {}
    commands: dict[str, click.Command] = {}
    for plugin_id, bundled, command in host.commands():
        group = plugin_id if command.group is None or not bundled else command.group
        made = _made(command)
        if group:
            there = commands.setdefault(group, click.Group(group, help=f"Commands of {plugin_id}."))
            if isinstance(there, click.Group):
                there.add_command(made)
        else:
            commands.setdefault(command.name, made)
    root.meta[_KEY] = commands
    return commands


def _made(command: Command) -> click.Command:
    def run(**values: Any) -> None:
        with telling_errors():
            status = command.handler(TerminalIO(), **values)
        if status:
            sys.exit(status)

    return click.Command(
        command.name,
        callback=run,
        params=[_parameter(each) for each in command.arguments],
        help=command.help,
    )


def _parameter(argument: Argument) -> click.Parameter:
    name = argument.name.lstrip("-").replace("-", "_")
    kind = _type(argument)
    if not argument.name.startswith("--"):
        return click.Argument(
            [name],
            type=kind,
            required=argument.required,
            nargs=-1 if argument.multiple else 1,
            metavar=argument.name.upper(),
            **_default(argument),
        )
    if argument.flag:
        return click.Option([argument.name, name], is_flag=True, help=argument.help)
    prompt = argument.secret and argument.required and sys.stdin.isatty()
    return click.Option(
        [argument.name, name],
        type=kind,
        required=argument.required,
        multiple=argument.multiple,
        help=argument.help,
        prompt=prompt,
        hide_input=argument.secret,
        **_default(argument),
    )


def _default(argument: Argument) -> dict[str, Any]:
    """Nothing for a required one: click would take a default of None as given."""
    return {} if argument.required else {"default": argument.default}


def _type(argument: Argument) -> click.ParamType[Any]:
    if argument.choices:
        return click.Choice(argument.choices)
    kinds: dict[str, click.ParamType[Any]] = {
        "text": click.STRING,
        "integer": click.INT,
        "number": click.FLOAT,
        "path": click.Path(path_type=Path),
    }
    return kinds[argument.type]


class TerminalIO(CommandIO):
    """Standard input and output of this process."""

    @property
    def stdin(self) -> BinaryIO:
        return sys.stdin.buffer

    @property
    def interactive(self) -> bool:
        return sys.stdin.isatty()

    def print(self, text: str = "") -> None:
        click.echo(text)

    def write(self, data: bytes) -> None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def error(self, text: str) -> None:
        click.echo(text, err=True)

    def confirm(self, question: str) -> bool:
        return self.interactive and click.confirm(question)
