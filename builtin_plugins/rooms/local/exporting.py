"""``stagebox rooms export``: the object form of an import, written as it is read (7.2)."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from builtin_plugins.rooms.documents import MESSAGE_DOC, dump
from builtin_plugins.rooms.local.finished import exported_attachment, member_doc
from plugin_sdk import Database, Invalid

__all__ = ["export"]

Write = Callable[[bytes], object]

# ruff: noqa: S608  (constants only)
_LISTS: Final = (
    ("rooms", "SELECT doc FROM rooms ORDER BY id"),
    ("users", "SELECT doc FROM users ORDER BY id"),
    ("members", "SELECT * FROM members ORDER BY room_id, user_id"),
    ("messages", f"SELECT {MESSAGE_DOC} AS doc FROM messages ORDER BY room_id, timestamp, id"),
    ("reactions", "SELECT doc FROM reactions ORDER BY message_id, timestamp, id"),
    ("attachments", "SELECT doc FROM attachments ORDER BY message_id, id"),
    ("bans", "SELECT doc FROM bans ORDER BY room_id, user_id"),
)

_TEXTS: Final[Mapping[str, Callable[[dict[str, Any]], str]]] = {
    "members": lambda row: dump(member_doc(row)),
    "attachments": lambda row: exported_attachment(row["doc"]),
}
"""How a row is written where its ``doc`` is not all."""


def export(database: Database, texts: Any, file: str | None, write: Write) -> None:
    """Everything that is stored, from one state of the data, to ``file`` or by ``write``.

    ``texts`` is the service ``plugin_data.store``; without it there is no plugin data and no
    meta. Raises Invalid for a file that cannot be written."""
    if file is None or file == "-":
        _write(database, texts, write)
        return
    with _replacing(Path(file)) as put:
        _write(database, texts, put)


def _write(database: Database, texts: Any, write: Write) -> None:
    write(b'{"version":1')
    with database.snapshot():
        for name, sql in _LISTS:
            write(f',\n"{name}":'.encode())
            text = _TEXTS.get(name, itemgetter("doc"))
            _write_list((text(row) for row in database.iterate(sql)), write)
    write(b',\n"pluginData":')
    _write_list((dump(row) for row in (texts.rows() if texts is not None else ())), write)
    write(b',\n"meta":')
    write(dump(texts.metas() if texts is not None else {}).encode())
    write(b"}\n")


def _write_list(texts: Iterable[str], write: Write) -> None:
    between = "["
    for text in texts:
        write(f"{between}\n{text}".encode())
        between = ","
    write(b"]" if between == "," else b"[]")


@contextmanager
def _replacing(path: Path) -> Iterator[Write]:
    """Into place at the end: what stood there before stays if anything fails. A link stays one,
    and what is no file (a pipe, /dev/null) is written to, not replaced."""
    if path.is_dir():
        raise Invalid(f"{path}: cannot be written ({os.strerror(errno.EISDIR)}).")
    try:
        path = Path(os.path.realpath(path))
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file.write
            return
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise Invalid(f"{path}: cannot be written ({error.strerror}).") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file.write
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
