"""What an archive says of itself: ``manifest.json``, schema ``stagebox.backup.v1``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Literal

from host.schemas import compile_schema
from plugin_sdk import Invalid, check_blob_key, dump_json, parse_json

__all__ = ["MANIFEST_NAME", "SCHEMA", "Entry", "Kind", "Manifest", "is_database_file"]

SCHEMA: Final = "stagebox.backup.v1"
MANIFEST_NAME: Final = "manifest.json"

Kind = Literal["database", "file", "blob"]

_PLUGIN_ID: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*")
_DATABASE_FILE: Final = re.compile(r"\.?plugin\.db([-.].*)?", re.S)
_DOCUMENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["schema", "version", "created", "engine", "storage", "entries"],
    "properties": {
        "schema": {"const": SCHEMA},
        "version": {"type": "string"},
        "created": {"type": "string"},
        "engine": {"enum": ["sqlite", "postgresql"]},
        "storage": {"type": "string"},
        "entries": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "kind", "of", "size", "sha256"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 2000},
                    "kind": {"enum": ["database", "file", "blob"]},
                    "of": {"type": "string", "minLength": 1, "maxLength": 4096},
                    "size": {"type": "integer", "minimum": 0},
                    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    "contentType": {"type": "string"},
                    "mode": {"type": "integer", "minimum": 0, "maximum": 0o777},
                },
            },
        },
    },
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of the archive. ``of`` is the name of the database (``host`` or a plugin id),
    the path below ``plugins/``, or the key of the blob. ``size`` in bytes, of the content."""

    name: str
    kind: Kind
    of: str
    size: int
    sha256: str
    contentType: str = ""  # noqa: N815  # as in the document
    mode: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """``created`` is ISO 8601 in UTC, ``storage`` the name of the provider that had the blobs,
    ``engine`` the one whose format the databases have."""

    version: str
    created: str
    engine: str
    storage: str
    entries: tuple[Entry, ...]

    def of_kind(self, kind: Kind) -> list[Entry]:
        """The entries of one kind, in order."""
        return [entry for entry in self.entries if entry.kind == kind]

    @property
    def size(self) -> int:
        """Bytes of all contents."""
        return sum(entry.size for entry in self.entries)

    def as_json(self) -> str:
        """The document."""
        entries = [
            {key: value for key, value in asdict(entry).items() if value not in ("",)}
            for entry in self.entries
        ]
        return dump_json(
            {
                "schema": SCHEMA,
                "version": self.version,
                "created": self.created,
                "engine": self.engine,
                "storage": self.storage,
                "entries": entries,
            }
        )

    @classmethod
    def parse(cls, content: bytes) -> Manifest:
        """Raises Invalid for anything that `as_json` would not have written."""
        document = parse_json(content, unique_keys=True)
        if isinstance(document, dict) and document.get("schema") != SCHEMA:
            raise Invalid(f"Its manifest does not have the schema {SCHEMA}.")
        problem = next(iter(compile_schema(_DOCUMENT).iter_errors(document)), None)
        if problem is not None:
            raise Invalid(f"Its manifest is not valid: {problem.message[:200]}")
        entries = tuple(_entry(each) for each in document["entries"])
        _refuse_doubles(entries)
        head = {key: document[key] for key in ("version", "created", "engine", "storage")}
        return cls(**head, entries=entries)


def is_database_file(path: PurePosixPath) -> bool:
    """Whether a path below ``plugins/`` is a plugin's database, or one of the files beside it."""
    return len(path.parts) == 2 and _DATABASE_FILE.fullmatch(path.parts[1]) is not None


def _entry(given: Mapping[str, Any]) -> Entry:
    entry = Entry(**{key: given[key] for key in given if key in Entry.__slots__})
    if entry.kind == "database":
        _check_plugin(entry.of)
    elif entry.kind == "blob":
        check_blob_key(entry.of)
    else:
        _check_path(entry.of)
    return entry


def _check_plugin(name: str) -> None:
    if len(name) > 64 or _PLUGIN_ID.fullmatch(name) is None:
        raise Invalid(f"It names {name[:80]!r}, which is no plugin.")


def _check_path(text: str) -> None:
    parts = text.split("/")
    refused = (
        len(parts) < 2
        or any(part in ("", ".", "..") for part in parts)
        or any(c < " " or c in "\\\x7f" for c in text)
        or is_database_file(PurePosixPath(text))
    )
    if refused:
        raise Invalid(f"It names the file {text[:80]!r}, which cannot be unpacked safely.")
    _check_plugin(parts[0])


def _refuse_doubles(entries: Iterable[Entry]) -> None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        for key in (("", entry.name), (entry.kind, entry.of)):
            if key in seen:
                raise Invalid(f"It names {key[1][:80]!r} twice.")
            seen.add(key)
