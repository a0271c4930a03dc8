"""``stagebox rooms import`` (local REST contract, 7.1): everything or nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.local.rows import Rows
from builtin_plugins.rooms.local.saving import told_id
from builtin_plugins.rooms.local.shapes import KINDS, Located, check
from builtin_plugins.rooms.local.sources import LineSource, ObjectSource, Row, Source
from plugin_sdk import Invalid, StageboxError, Unavailable

__all__ = ["run_import"]

_BY: Final = "cli"
_OTHERS: Final = frozenset({"pluginData", "meta"})
"""Kinds that the plugin ``plugin_data`` keeps."""
_BEHIND_ROOMS: Final = frozenset(KINDS) - _OTHERS - {"room"}
_TOLD: Final = 1000
_PATIENCE: Final = 600.0
"""Seconds that an import waits for another."""
_LINE_FORMS: Final = (".jsonl", ".ndjson")

# What --replace takes away: all but what belongs to open groups.
_OPEN: Final = "(SELECT id FROM open_groups)"
_OPEN_MESSAGES: Final = "(SELECT id FROM messages WHERE server_id IS NOT NULL)"
# ruff: noqa: S608  (constants only)
_CLEAR: Final = {
    "room": f"DELETE FROM rooms WHERE id NOT IN {_OPEN}",
    "user": f"""
        DELETE FROM users
        WHERE id NOT IN (SELECT user_id FROM members WHERE room_id IN {_OPEN})
    """,
    "member": f"DELETE FROM members WHERE room_id NOT IN {_OPEN}",
    "message": "DELETE FROM messages WHERE server_id IS NULL",
    "reaction": f"DELETE FROM reactions WHERE message_id NOT IN {_OPEN_MESSAGES}",
    "attachment": f"DELETE FROM attachments WHERE message_id NOT IN {_OPEN_MESSAGES}",
    "ban": f"DELETE FROM bans WHERE room_id NOT IN {_OPEN}",
}


def run_import(core: Core, texts: Any, file: str, stdin: BinaryIO, replace: bool) -> str:
    """Imports a file, ``-`` for ``stdin``; returns the counts of rows read, as a line of JSON.

    ``texts`` is the service ``plugin_data.store`` or None. Raises Invalid with place and reason;
    Unavailable when the rooms are stored, but plugin data are not."""
    with _source(file, stdin) as source:
        counts = _check_all(source)
        kinds = source.kinds()
        if texts is None and kinds & _OTHERS:
            raise Unavailable("The file has plugin data or meta, but plugin_data is switched off.")
        cleared = kinds if replace else frozenset[str]()
        with core.transaction(_PATIENCE):
            _import_rooms(core, source, cleared, counts)
        if kinds & _OTHERS:
            _import_others(texts, source, cleared)
    return json.dumps(counts)


def _import_rooms(
    core: Core, source: Source, cleared: frozenset[str], counts: dict[str, int]
) -> None:
    """Rooms first: they say which messages must be signed. Of a small import each row is told of
    as if a plugin had saved it; of a large one, that it happened."""
    _clear(core, cleared)
    rows = Rows(core, _BY)
    told = sum(counts.values()) <= _TOLD
    for kinds in ({"room"}, _BEHIND_ROOMS):
        for row in source.rows(kinds):
            stored = rows.put(row.kind, check(row.kind, row.doc, row.where), row.where)
            if told and stored is not None:
                core.saved(row.kind, told_id(row.kind, stored), stored)
    rows.finish()
    core.writing.tell("rooms.imported", counts)


@contextmanager
def _source(file: str, stdin: BinaryIO) -> Iterator[Source]:
    if file == "-":
        yield ObjectSource(stdin.read())
    elif file.lower().endswith(_LINE_FORMS):
        with _kept(Path(file)) as path:
            yield LineSource(path)
    else:
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise _unreadable(file, error) from None
        yield ObjectSource(content)


@contextmanager
def _kept(path: Path) -> Iterator[Path]:
    """A file that can be read more than once; a pipe is copied first."""
    try:
        if path.is_file():
            with path.open("rb"):
                pass
            yield path
            return
        with tempfile.NamedTemporaryFile(prefix="stagebox-import-") as copy:
            with path.open("rb") as source:
                shutil.copyfileobj(source, copy)
            copy.flush()
            yield Path(copy.name)
    except OSError as error:
        raise _unreadable(str(path), error) from None


def _unreadable(file: str, error: OSError) -> Invalid:
    return Invalid(f"{file}: cannot be read ({error.strerror}).")


def _check_all(source: Source) -> dict[str, int]:
    """Everything that can be known without looking at what is stored; the counts."""
    counts = {kind.member: 0 for kind in KINDS.values()}
    for row in source.rows(KINDS):
        if row.kind == "meta":
            _check_meta(row)
        else:
            check(row.kind, row.doc, row.where)
        counts[KINDS[row.kind].member] += 1
    return counts


def _check_meta(row: Row) -> None:
    """A value null removes the key."""
    doc = row.doc
    removes = isinstance(doc, dict) and "value" in doc and doc["value"] is None
    try:
        check("meta", {**doc, "value": ""} if removes else doc, row.where)
    except Located as error:
        if not row.where.startswith("meta."):
            raise
        path, what = error.details[0].path, error.details[0].message
        raise Located(path.rpartition(".")[0], what) from None


def _clear(core: Core, kinds: frozenset[str]) -> None:
    """Members and bans of plain rooms go: nobody has cached those."""
    for kind, statement in _CLEAR.items():
        if kind in kinds:
            core.db.execute(statement)


def _import_others(texts: Any, source: Source, cleared: frozenset[str]) -> None:
    """One transaction of plugin_data; meta first, since it says whose the data are."""
    try:
        with texts.batch():
            if "meta" in cleared:
                texts.clear_meta()
            for row in source.rows({"meta"}):
                key, value = row.doc["key"], row.doc["value"]
                if value is None:
                    texts.unset_meta(key)
                else:
                    texts.set_meta(key, value)
            if "pluginData" in cleared:
                texts.clear()
            for row in source.rows({"pluginData"}):
                _put_data(texts, row.doc)
    except StageboxError as error:
        raise Unavailable(
            "The rooms are stored, but plugin data and meta are not: run the same import again"
            f" to complete it. ({error.message})"
        ) from error


def _put_data(texts: Any, doc: dict[str, Any]) -> None:
    texts.set(
        doc["pluginId"],
        doc["key"],
        doc["value"],
        doc.get("scope") or "local",
        doc.get("serverId") or "",
        doc.get("owner"),
    )
