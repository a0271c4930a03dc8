"""The settings documents in the database: reading, changing one place, replacing everything.

Every write is one transaction: read, change, check, store. What does not fit leaves nothing
behind (contract, sections 3 and 8.1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builtin_plugins.drops import strict
from builtin_plugins.drops.history import History, lost_identities
from builtin_plugins.drops.key_paths import Target, find, replaced, split
from builtin_plugins.drops.schema import Check, Unfit
from builtin_plugins.drops.shapes import DOCUMENTS, SECTIONS, Kind, cross_problems, fresh
from builtin_plugins.drops.stamps import completed, stamped
from plugin_sdk import Context, Problem

__all__ = ["BadDocument", "Documents", "Given"]

SyncedChange = Callable[[Mapping[str, Any], Mapping[str, Any]], object]
"""Told of the old and the new synced document, inside the transaction."""


class BadDocument(ValueError):
    """Values that do not fit; ``problems`` lists them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{each.path} {each.message}".strip() for each in problems[:3]))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it came: from JSON it has its type, from a form or query it is a text."""

    value: Any
    typed: bool


class Documents:
    """``on_synced`` are called inside the transaction of each write of the synced document;
    ``on_change`` after a commit, with kind and key path."""

    def __init__(
        self,
        context: Context,
        on_synced: Sequence[SyncedChange],
        on_change: Callable[[Kind, str], object],
    ) -> None:
        self._db = context.db
        self._clock = context.clock
        self._settings = context.settings
        self._hooks = context.hooks
        self._on_synced = on_synced
        self._on_change = on_change
        self.history = History(context.db, context.clock)

    # Reading

    def text(self, kind: Kind) -> str:
        """The document as JSON text."""
        row = self._db.one("SELECT json FROM document WHERE kind = :kind", {"kind": kind})
        return row["json"] if row is not None else strict.compact(fresh(kind))

    def read(self, kind: Kind) -> tuple[dict[str, Any], int]:
        """The document and its version, which grows with each write."""
        sql = "SELECT json, version FROM document WHERE kind = :kind"
        row = self._db.one(sql, {"kind": kind})
        if row is None:
            return fresh(kind), 0
        document: dict[str, Any] = json.loads(row["json"])
        return document, row["version"]

    def version(self, kind: Kind) -> int:
        """0 before the first write. One look at one row."""
        sql = "SELECT version FROM document WHERE kind = :kind"
        return self._db.value(sql, {"kind": kind}) or 0

    def check_key(self, kind: Kind, key: Any) -> None:
        """Raises InvalidKey for what names no place."""
        find(DOCUMENTS[kind], self.read(kind)[0], split(key))

    # Writing

    def put(self, kind: Kind, key: Any, given: Given | None) -> None:
        """Changes one place. Raises InvalidKey, else BadDocument."""
        segments = split(key)
        with self._db.transaction():
            old, version = self.read(kind)
            target = find(DOCUMENTS[kind], old, segments)
            if given is None:
                raise BadDocument([Problem("value", "is missing")])
            value = given.value
            if not given.typed:
                try:
                    value = target.node.from_text(value)
                except Unfit as error:
                    raise BadDocument([Problem(key, str(error))]) from None
            self._put(kind, old, version, target, value)
        self._on_change(kind, key)

    def replace(self, kind: Kind, document: Any) -> None:
        """Replaces everything; the old document goes to the history. Raises BadDocument."""
        with self._db.transaction():
            old, version = self.read(kind)
            new = self._checked(kind, document)
            self.history.keep(kind, strict.compact(old))
            self._store(kind, old, new, version)
        self._on_change(kind, "")

    def change(self, kind: Kind, section: str, make: Callable[[dict[str, Any]], Any]) -> None:
        """Puts what ``make`` makes of the document into one section. Raises BadDocument."""
        with self._db.transaction():
            old, version = self.read(kind)
            target = find(DOCUMENTS[kind], old, split(section))
            self._put(kind, old, version, target, make(old))
        self._on_change(kind, section)

    def note_round(self, moment: str, *, noted_at: str = "") -> None:
        """Writes the time of the last round, unless there is one between it and ``noted_at``:
        somebody waited for a round meanwhile. A later one than that is a client's text, or of a
        clock that was set back."""
        with self._db.transaction():
            document, version = self.read("settings")
            stored = document["drop_last_update"]
            if stored != moment and not moment < stored <= noted_at:
                self._write("settings", {**document, "drop_last_update": moment}, version)

    def _put(
        self, kind: Kind, old: dict[str, Any], version: int, target: Target, value: Any
    ) -> None:
        steps, value = completed(old, target.steps, value)
        new = self._checked(kind, replaced(old, steps, value), trusted=old)
        stamped(old, new, steps, given_value=value, now=self._now())
        self._store(kind, old, new, version)

    def _checked(
        self, kind: Kind, document: Any, trusted: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """As it is stored. ``trusted`` is the stored document: its items were checked already."""
        items = (each for name in SECTIONS for each in (trusted or {}).get(name, ()))
        look = Check(
            now=self._now(),
            allow_unqualified=self._settings["allowUnqualifiedHosts"],
            trusted=frozenset(map(id, items)),
        )
        new: dict[str, Any] = DOCUMENTS[kind].check(document, (), look)
        problems = look.found or list(cross_problems(kind, new))
        if not problems and strict.depth_of(new) > strict.MAX_DEPTH:
            problems = [Problem("", f"would be nested deeper than {strict.MAX_DEPTH} levels")]
        if problems:
            raise BadDocument(problems)
        return new

    def _store(
        self, kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any], version: int
    ) -> None:
        self._ask_modules(old["module_data"], new["module_data"])
        if kind == "synced":
            for identity in lost_identities(old, new):
                self.history.keep("identity", strict.compact(identity))
        self._write(kind, new, version)
        if kind == "synced":
            for follow in self._on_synced:
                follow(old, new)

    def _write(self, kind: Kind, document: Mapping[str, Any], version: int) -> None:
        row = {
            "kind": kind,
            "json": strict.compact(document),
            "version": version + 1,
            "changed_at": self._clock.ms(),
        }
        self._db.table("document").upsert(row)

    def _ask_modules(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for module, value in new.items():
            if module in old and old[module] == value:
                continue
            for answer in self._hooks.call("drops_check_module_data", module=module, value=value):
                if isinstance(answer.value, str) and answer.value:
                    raise BadDocument([Problem(f"module_data.{module}", answer.value)])

    def _now(self) -> int:
        return int(self._clock.time())
