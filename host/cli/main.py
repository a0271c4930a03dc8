"""The front of the command line: its own commands, and those of plugins."""

from __future__ import annotations

import click

from host.app.build import version
from host.cli.backup import backup, restore
from host.cli.contributed import contributed_commands, split_flags
from host.cli.doctor import doctor
from host.cli.moving import migrate
from host.cli.plugins import plugin
from host.cli.preflight import preflight
from host.cli.providers import provider
from host.cli.serving import serve
from host.cli.session import data_options, telling_errors
from host.cli.settings import settings
from plugin_sdk import StageboxError

__all__ = ["main"]


def _note_flags(ctx: click.Context) -> None:
    """Options before the command decide where plugins are looked for, before `main` runs."""
    flags = ctx.find_root().ensure_object(dict)
    for name in ("data_dir", "database"):
        if ctx.find_root().params.get(name) is not None:
            flags[name] = ctx.find_root().params[name]


class _Commands(click.Group):
    """Own commands first; others are looked up among active plugins, only when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        _note_flags(ctx)
        try:
            contributed = sorted(contributed_commands(ctx, shown=True))
        except StageboxError as error:  # the help helps all the same
            click.echo(f"Commands of plugins are not available: {error.message}", err=True)
            contributed = []
        return [*super().list_commands(ctx), *contributed]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        _note_flags(ctx)
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        with telling_errors():
            return contributed_commands(ctx).get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """What stands behind the name of a plugin's command decides where plugins are looked for,
        as what stands before it does."""
        if super().get_command(ctx, args[0]) is None:
            given, left = split_flags(args[1:])
            ctx.find_root().params.update(given)
            args = [args[0], *left]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        for title, own in (("Commands", True), ("Commands of plugins", False)):
            rows = [
                (name, command.get_short_help_str(limit))
                for name in names
                if (name in self.commands) is own
                and (command := self.get_command(ctx, name)) is not None
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="stagebox")
@data_options(is_eager=True)  # the help lists the commands of the plugins that are there
@click.pass_context
def main(ctx: click.Context, data_dir: str | None, database: str | None) -> None:
    """Stagebox hosts plugins: `stagebox serve` starts it, the rest looks after it.

    Every command works beside a running server, which follows within a second.
    """
    flags = ctx.ensure_object(dict)
    if data_dir is not None:
        flags["data_dir"] = data_dir
    if database is not None:
        flags["database"] = database


for _command in (
    serve,
    plugin,
    provider,
    settings,
    doctor,
    preflight,
    backup,
    restore,
    migrate,
):
    main.add_command(_command)
