"""What the commands share: the configuration, a host to work on, and how errors are told."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NoReturn, TypeVar

import click

from host.app import Host
from host.backup import occupied
from host.config import Config, load_config
from plugin_sdk import NotFound, StageboxError
from plugin_sdk.management import PluginEntry

__all__ = [
    "SERVER_SECONDS",
    "after_server",
    "await_servers",
    "configured",
    "data_options",
    "echo_json",
    "fail",
    "given_flags",
    "is_terminal",
    "managed_host",
    "settings_from",
    "telling_errors",
    "wait_for",
]

SERVER_SECONDS: Final = 60.0
"""How long a running server may take to follow."""
_FOLLOW_SECONDS: Final = 10.0
"""The same where nothing starts or stops."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def fail(text: str) -> NoReturn:
    """Ends the command: one sentence on standard error, exit status 1."""
    click.echo(text, err=True)
    sys.exit(1)


def data_options(**more: Any) -> Callable[[_Command], _Command]:
    """The options by which every command is told where the data are; ``more`` is click's."""

    def add(command: _Command) -> _Command:
        database = click.option(
            "--database",
            metavar="URL",
            help="A PostgreSQL database in place of SQLite files.  [env: STAGEBOX_DATABASE]",
            **more,
        )
        data_dir = click.option(
            "--data-dir",
            type=click.Path(file_okay=False),
            help="Where everything is kept.  [env: STAGEBOX_DATA_DIR]",
            **more,
        )
        return data_dir(database(command))

    return add


def configured(command: _Command) -> _Command:
    """Adds the options that every command takes, and turns errors into one sentence."""

    @data_options()
    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        context = click.get_current_context()
        flags = context.find_root().ensure_object(dict)
        for name in ("data_dir", "database"):
            value = options.pop(name, None)
            if value is not None:
                flags[name] = value
        with telling_errors():
            return command(*arguments, **options)

    return run  # type: ignore[return-value]


@contextmanager
def telling_errors() -> Iterator[None]:
    """A StageboxError, a file that cannot be used, or a disk that is full becomes one sentence on
    standard error and exit status 1."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read our output has seen enough; click ends quietly then
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        fail(f'"{error.filename}" cannot be used: {reason}.' if error.filename else f"{reason}.")
    except StageboxError as error:
        lines = [error.message]
        for problem in error.details:
            path = f"{problem.path}: " if problem.path else ""
            if problem.message not in error.message:
                lines.append(f"  {path}{problem.message}")
        fail("\n".join(lines))


def settings_from(**flags: Any) -> Config:
    """The configuration: the command's flags, then what stands before the command."""
    return load_config(given_flags(**flags), os.environ)


def given_flags(**flags: Any) -> dict[str, Any]:
    """What was given as flags, to the command or before it."""
    context = click.get_current_context()
    given = {**context.find_root().ensure_object(dict)}
    given.update({key: value for key, value in flags.items() if value not in (None, ())})
    return given


@contextmanager
def managed_host(*, plugins: bool = False, begin: bool = True) -> Iterator[Host]:
    """A host to manage, beside a server that may be running. ``plugins``: with all that are on,
    in this process too, so that they can be asked. Without ``begin``, data that are not there yet
    are made in a folder that is removed in the end."""
    config = settings_from()
    with ExitStack() as stack:
        if not begin and not config.data_dir.exists():
            aside = stack.enter_context(TemporaryDirectory(prefix="stagebox-"))
            config = replace(config, data_dir=Path(aside))
        stack.enter_context(occupied(config.data_dir))
        host = Host(config, env=os.environ, log_file=False, log_stream=None)
        stack.callback(host.stop)
        host.start_for_command() if plugins else host.open()
        yield host


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Looks ten times a second, for as long as it may take."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def after_server(host: Host, plugin_id: str, entry: PluginEntry) -> tuple[str, str]:
    """State and message once a running server has followed, or as this process saw it. The state
    is "unknown" when the server did not follow within `SERVER_SECONDS`."""
    wish = host.manager.wishes.get(plugin_id)
    if wish is None or not host.presence.others():
        return entry.state, entry.fault.message if entry.fault else ""

    def followed() -> bool:
        outcome = host.manager.wishes.outcome(plugin_id)
        return outcome is not None and outcome[0] >= wish.version

    if not wait_for(followed, SERVER_SECONDS):
        return "unknown", "the running server did not follow in time; look at its log"
    outcome = host.manager.wishes.outcome(plugin_id)
    if outcome is None:
        raise NotFound(f"The state of {plugin_id} is gone.")
    return outcome[1], outcome[2].message if outcome[2] else ""


def await_servers(host: Host) -> None:
    """Returns once running servers have taken over what was changed here, so that it is in force
    with the next request; says so when they take long."""
    generation = host.manager.wishes.generation()
    if not wait_for(lambda: host.presence.others_followed(generation), _FOLLOW_SECONDS):
        click.echo("Stored; a running server has not taken it over yet.", err=True)


def is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def echo_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
