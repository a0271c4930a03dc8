"""Commands that plugins contribute, made into click commands."""

from __future__ import annotations

import sys
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from host.app import Host
from host.cli.session import data_options, managed_host, telling_errors
from plugin_sdk import Argument, Command, CommandIO

__all__ = ["contributed_commands", "split_flags"]

_KEY = "stagebox.contributed"
_FLAGS: Final = {"--data-dir": "data_dir", "--database": "database"}
"""Every command takes them; a plugin's own options cannot have these names."""


def contributed_commands(ctx: click.Context, *, shown: bool = False) -> dict[str, click.Command]:
    """By name, of all plugins that are on. Looked up once; the host stays for the command. Only to
    be ``shown``, they need no data, and none are made. Raises StageboxError when the host cannot be
    opened."""
    root = ctx.find_root()
    known: dict[str, click.Command] | None = root.meta.get(_KEY)
    if known is not None:
        return known
    host = root.with_resource(managed_host(plugins=True, begin=not shown))
    commands: dict[str, click.Command] = {}
    for plugin_id, bundled, command in host.commands():
        group = plugin_id if command.group is None or not bundled else command.group
        made = _made(command)
        if group:
            there = commands.setdefault(group, _PluginGroup(group, help=_about(host, plugin_id)))
            if isinstance(there, click.Group) and group not in _own(root):
                there.add_command(made)
            else:
                text = f'The commands of plugin {plugin_id} are hidden by the command "{group}".'
                click.echo(text, err=True)
        else:
            commands.setdefault(command.name, made)
    root.meta[_KEY] = commands
    return commands


def _own(root: click.Context) -> Container[str]:
    """The names of the commands that are no plugin's."""
    return root.command.commands if isinstance(root.command, click.Group) else ()


def _about(host: Host, plugin_id: str) -> str:
    manifest = host.plugins.entry(plugin_id).manifest
    return (manifest.description if manifest else "") or f"Commands of {plugin_id}."


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


class _PluginGroup(click.Group):
    """Among others it shows what it can do."""

    def get_short_help_str(self, limit: int = 45) -> str:
        shown = ", ".join(sorted(self.commands))
        return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."


class _PluginCommand(click.Command):
    """Its help also says what its arguments are."""

    def __init__(self, *, arguments: Sequence[Argument], **options: Any) -> None:
        super().__init__(**options)
        self._arguments = [each for each in arguments if not each.name.startswith("--")]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self._arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(each.name.upper(), _help(each)) for each in self._arguments])
        super().format_options(ctx, formatter)


def _made(command: Command) -> click.Command:
    @data_options(expose_value=False)  # for the help alone: `split_flags` has taken them out
    def run(**values: Any) -> None:
        with telling_errors():
            status = command.handler(TerminalIO(), **values)
        if status:
            sys.exit(status)

    made: click.Command = click.command(
        command.name,
        cls=_PluginCommand,
        arguments=command.arguments,
        params=[_parameter(each) for each in command.arguments],
        help=command.help,
    )(run)
    return made


def _help(argument: Argument) -> str:
    """A sentence, however the plugin wrote it, and what may be chosen."""
    text = (
        argument.help if not argument.help or argument.help.endswith(".") else argument.help + "."
    )
    if argument.choices and not argument.name.startswith("--"):
        text = f"{text}  [{'|'.join(argument.choices)}]"
    return text


def _parameter(argument: Argument) -> click.Parameter:
    name = argument.name.lstrip("-").replace("-", "_")
    kind = _type(argument)
    if not argument.name.startswith("--"):
        return click.Argument(
            [name],
            type=kind,
            required=argument.required,
            nargs=-1 if argument.multiple else 1,
            metavar=_metavar(argument),
            **_default(argument),
        )
    if argument.flag:
        return click.Option([argument.name, name], is_flag=True, help=_help(argument))
    prompt = argument.secret and argument.required and sys.stdin.isatty()
    return click.Option(
        [argument.name, name],
        type=kind,
        required=argument.required,
        multiple=argument.multiple,
        help=_help(argument),
        show_default=not argument.required and bool(argument.default),
        prompt=prompt,
        hide_input=argument.secret,
        **_default(argument),
    )


def _metavar(argument: Argument) -> str:
    name = argument.name.upper() + "..." * argument.multiple
    return name if argument.required else f"[{name}]"


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
