"""Commands that plugins contribute, made into click commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from host.cli.session import managed_host, telling_errors
from plugin_sdk import Argument, Command, CommandIO

__all__ = ["contributed_commands", "split_flags"]

_KEY = "stagebox.contributed"
_FLAGS: Final = {"--data-dir": "data_dir", "--database": "database"}
"""Every command takes them; a plugin's own options cannot have these names."""


def contributed_commands(ctx: click.Context) -> dict[str, click.Command]:
    """By name, of all plugins that are on. Looked up once; the host stays for the command. Raises
    StageboxError when that cannot be opened."""
    root = ctx.find_root()
    known: dict[str, click.Command] | None = root.meta.get(_KEY)
    if known is not None:
        return known
    host = root.with_resource(managed_host(plugins=True))
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


def split_flags(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """What every command takes, and the rest. They are taken out before a plugin's command is
    known: only these tell where it is to be found."""
    given: dict[str, str] = {}
    left: list[str] = []
    rest = iter(arguments)
    for each in rest:
        name, equals, value = each.partition("=")
        if each == "--":
            return given, [*left, each, *rest]
        if name not in _FLAGS:
            left.append(each)
            continue
        found = value if equals else next(rest, None)
        if found is None:
            raise click.BadOptionUsage(name, f"Option '{name}' requires an argument.")
        given[_FLAGS[name]] = found
    return given, left


def _made(command: Command) -> click.Command:
    def run(**values: Any) -> None:
        with telling_errors():
            status = command.handler(TerminalIO(), **values)
        if status:
            sys.exit(status)

    return click.Command(
        command.name,
        callback=run,
        params=[*(_parameter(each) for each in command.arguments), *_shared()],
        help=command.help,
    )


def _shared() -> list[click.Parameter]:
    """For the help alone: `split_flags` has taken them out."""
    texts = ("Where everything is kept.", "A PostgreSQL database in place of SQLite files.")
    named = zip(_FLAGS, texts, strict=True)
    return [click.Option([name], help=text, expose_value=False) for name, text in named]


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
