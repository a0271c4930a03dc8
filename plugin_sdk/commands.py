"""Sub-commands that a plugin adds to the command ``stagebox`` (capability ``commands``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, Protocol, TypeVar

__all__ = ["Argument", "Command", "CommandIO", "command", "command_declaration"]

_MARK = "__stagebox_command__"
_Handler = TypeVar("_Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument, or with a name that begins with ``--`` an option.

    The handler gets it by its name without dashes, inner ones as ``_``. A ``flag`` takes no value.
    ``multiple`` gives a tuple. Without ``required`` a missing one is ``default``. Every command
    takes ``--data-dir`` and ``--database``: these are the host's, and no names for your own.
    """

    name: str
    help: str = ""
    type: Literal["text", "integer", "number", "path"] = "text"
    required: bool = True
    default: Any = None
    flag: bool = False
    multiple: bool = False
    choices: Sequence[str] = ()
    secret: bool = False
    """Asked for without echo when it is missing and a terminal is there."""


class CommandIO(Protocol):
    """The outside of a command."""

    @property
    def stdin(self) -> BinaryIO: ...
    @property
    def interactive(self) -> bool:
        """Whether a person sits at the other end."""
        ...

    def print(self, text: str = "") -> None:
        """A line on standard output."""
        ...

    def write(self, data: bytes) -> None:
        """Bytes on standard output, as they are."""
        ...

    def error(self, text: str) -> None:
        """A line on standard error."""
        ...

    def confirm(self, question: str) -> bool:
        """False when nobody can be asked."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """``stagebox <group> <name>``; with ``group=""`` a command of its own at the top.

    ``group`` defaults to the plugin's id. Only bundled plugins may use another group or the top.
    The handler ``(io: CommandIO, **arguments)`` returns an exit status (None is 0). A
    StageboxError becomes one sentence on standard error and exit status 1.
    The command runs in a process of its own, beside a server that may be running.
    """

    name: str
    handler: Callable[..., int | None]
    help: str = ""
    arguments: Sequence[Argument] = ()
    group: str | None = None


def command(
    name: str, *arguments: Argument, group: str | None = None, help: str = ""
) -> Callable[[_Handler], _Handler]:
    """Marks a method ``(self, io: CommandIO, **arguments)`` as a command; see `Command`."""

    def mark(handler: _Handler) -> _Handler:
        text = help or (handler.__doc__ or "").strip()
        setattr(handler, _MARK, Command(name, handler, text, arguments, group))
        return handler

    return mark


def command_declaration(handler: Callable[..., Any]) -> Command | None:
    """What `command` noted on a function."""
    declared: Command | None = getattr(handler, _MARK, None)
    return declared
