"""The registry of providers: what is registered right now, and what an admin chose."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from host.db import HostDatabase
from host.providers.faults import ProviderFaults
from host.providers.selection import (
    CHAIN_TYPES,
    PARALLEL_TYPES,
    STORAGE,
    Choices,
    Registered,
    Selection,
)
from plugin_sdk import (
    Database,
    Invalid,
    Logger,
    Migration,
    NotFound,
    ProviderEntry,
    Providers,
    ProviderUnavailable,
)

__all__ = ["MIGRATIONS", "ProviderRegistry"]

_TABLE: Final = "_stagebox_provider_choices"


def _create(db: Database) -> None:
    db.table(_TABLE).create({"type": "text", "names": "json"}, pk="type")


MIGRATIONS: Final = (Migration("providers_001_choices", _create),)


class ProviderRegistry(Providers):
    """``context.providers``, and the host's side of it.

    Readers take one reference to a frozen selection; publishing, choosing and reloading replace
    it (accounts-and-plugins contract, section 12).
    """

    def __init__(self, database: HostDatabase, log: Logger | None = None) -> None:
        """``faults`` writes to ``log``."""
        self.faults = ProviderFaults(log or logging.getLogger("stagebox.providers"))
        self._db = database
        self._lock = threading.Lock()
        self._registered: tuple[Registered, ...] = ()
        self._ranks: dict[tuple[str, str], int] = {}
        self._opened = False
        self._loaded = False
        self._selection = Selection()

    # What plugins may ask

    def active(self, type: str) -> Any:
        """The active implementation; of a chain the first. Raises ProviderUnavailable."""
        found = self.leading(type)
        if found is None:
            raise ProviderUnavailable(self._why_none(type))
        return found

    def leading(self, type: str) -> Any | None:
        """As `active`, but None when there is none."""
        found = self._selection.active.get(type)
        return None if found is None else found.implementation

    def get(self, type: str, name: str) -> Any:
        for each in self._selection.by_type.get(type, ()):
            if each.name == name:
                return each.implementation
        raise ProviderUnavailable(f"No active plugin offers the {type} provider {name}.")

    def chain(self, type: str) -> Sequence[Any]:
        """All implementations in the order of asking; of a single type the active one first."""
        return [each.implementation for each in self._selection.chain(type)]

    def entries(self, type: str | None = None) -> Sequence[ProviderEntry]:
        selection = self._selection
        types = selection.types() if type is None else [type]
        return [entry for each in types for entry in selection.entries(each)]

    # The host's side

    def listing(self) -> Mapping[str, Sequence[ProviderEntry]]:
        """Entries by type; ``storage`` and ``metadata`` are always there."""
        selection = self._selection
        return {type: selection.entries(type) for type in selection.types()}

    def owner_of_active(self, type: str) -> str | None:
        """The plugin whose implementation is active."""
        found = self._selection.active.get(type)
        return found.plugin_id if found is not None else None

    def publish(self, registered: Sequence[Registered]) -> None:
        """Replaces all providers in one assignment. Raises Conflict (PROVIDER_CONFLICT) when two
        have one type and name; nothing changes then."""
        choices = self._selection.choices if self._loaded else self._read()
        with self._lock:
            if self._loaded:
                choices = self._selection.choices
            selection = Selection.of(registered, choices, self._rank)
            self._registered = tuple(registered)
            self._selection = selection
            self._loaded = True

    def choose(self, type: str, name: str) -> None:
        """Stores the choice and puts it in force with the commit; of a chain it moves the named
        one to the front. Raises NotFound for an unknown type or name, Invalid for a type whose
        providers are all active."""
        self._open()
        with self._db.transaction():
            found = self._selection.by_type.get(type, ())
            self._refuse(type, name, found)
            order = [name]
            if type in CHAIN_TYPES:
                # Those that are gone for now keep their place.
                stored = self._read().get(type, ())
                order += [each for each in stored if each != name]
                order += [each.name for each in found if each.name not in order]
            self._db.table(_TABLE).upsert({"type": type, "names": order})
            self._db.after_commit(self.reload)

    def forget(self, type: str, name: str) -> None:
        """Whose provider is gone for good is chosen no more; nothing happens when it was not."""
        self._open()
        with self._db.transaction():
            stored = self._read().get(type, ())
            if name not in stored:
                return
            rest = [each for each in stored if each != name]
            table = self._db.table(_TABLE)
            table.upsert({"type": type, "names": rest}) if rest else table.delete(type)
            self._db.after_commit(self.reload)

    def reload(self) -> None:
        """Another process may have chosen: reads the choices anew."""
        self._open()
        with self._lock:
            choices = self._read()
            self._loaded = True
            if choices != self._selection.choices:
                self._selection = Selection.of(self._registered, choices, self._rank)

    def _refuse(self, type: str, name: str, found: Sequence[Registered]) -> None:
        if type in PARALLEL_TYPES and found:
            raise Invalid(f"All {type} providers are active side by side: none can be chosen.")
        if not any(each.name == name for each in found):
            raise NotFound(f"No active plugin offers the {type} provider {name}.")

    def _rank(self, each: Registered) -> int:
        """Who came first, remembered while a plugin is off: it returns to its place."""
        return self._ranks.setdefault((each.type, each.name), len(self._ranks))

    def _open(self) -> None:
        """Makes the table when it is first needed."""
        if not self._opened:
            self._db.migrate(MIGRATIONS)
            self._opened = not self._db.in_transaction  # that one may still be rolled back

    def _read(self) -> Choices:
        self._open()
        rows = self._db.table(_TABLE).rows_where()
        return {row["type"]: tuple(_names(row["names"])) for row in rows}

    def _why_none(self, type: str) -> str:
        selection = self._selection
        if type == STORAGE:
            chosen = selection.choices.get(STORAGE, ("local",))[0]
            return (
                f"The storage provider {chosen} is chosen, but no active plugin offers it. Switch "
                "its plugin on, or choose another one; until then nothing is read or stored."
            )
        return f"No active plugin offers a provider of type {type}."


def _names(stored: Any) -> list[str]:
    """A list however the engine hands out JSON."""
    names: list[str] = json.loads(stored) if isinstance(stored, str) else stored
    return names
