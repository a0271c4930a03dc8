"""Metadata providers as an operator configures them: rows, secrets, key sync (media contract, 5.8,
5.9)."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from builtin_plugins.media.notes import Notes
from plugin_sdk import Clock, Database, MetadataProvider, NotFound, Providers, ProviderUnavailable

__all__ = ["MASK", "NAME_PATTERN", "ProviderRow", "ProviderRows", "config_text"]

MASK: Final = "********"
NAME_PATTERN: Final = re.compile(r"[a-z0-9._-]{1,64}")
_TMDB: Final = "tmdb"
_TMDB_ADDRESSES: Final = ("TMDB_BASE_URL", "TMDB_IMAGE_BASE_URL")
_SYNCED: Final = "tmdb_key_synced"


@dataclass(frozen=True, slots=True)
class ProviderRow:
    id: str
    name: str
    enabled: bool
    priority: int
    config: Mapping[str, Any]
    created_at: int
    updated_at: int

    @property
    def type(self) -> str:
        """The name of the implementation."""
        return _type_of(self.name, self.config)


def _type_of(name: str, config: Mapping[str, Any]) -> str:
    given = config.get("type")
    return given.strip().lower() if isinstance(given, str) and given.strip() else name


def _is_secret(name: str, schema: Mapping[str, Any]) -> bool:
    for word in ("key", "secret", "token", "password"):
        if name.lower().endswith(word):
            return True
    properties = schema.get("properties")
    about = properties.get(name) if isinstance(properties, Mapping) else None
    return isinstance(about, Mapping) and about.get("writeOnly") is True


def _masked(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Secrets lie in inner objects as well; ``schema`` speaks of the outermost."""
    shown: dict[str, Any] = {}
    for name, value in config.items():
        if value not in (None, "") and _is_secret(name, schema):
            shown[name] = MASK
        else:
            shown[name] = _masked(value, {}) if isinstance(value, Mapping) else value
    return shown


def _unmasked(config: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in config.items():
        before = stored.get(name)
        if isinstance(value, Mapping):
            result[name] = _unmasked(value, before if isinstance(before, Mapping) else {})
        elif value != MASK:
            result[name] = value
        elif name in stored:
            result[name] = before
    return result


class ProviderRows:
    """All rows; several may use one implementation.

    The setting ``tmdbApiKey`` and the row ``tmdb`` lie in two databases, the host's and the
    plugin's. Which key was put into the row is noted beside it, so that whoever reads rows next,
    in whichever process, makes up for a change that was broken off between the two.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        providers: Providers,
        env: Mapping[str, str],
        key: Callable[[], str],
    ) -> None:
        """``key`` says what the setting is now, "" for none."""
        self._key = key
        self._db = database
        self._table = database.table("provider")
        self._clock = clock
        self._providers = providers
        self._env = env
        self._notes = Notes(database)

    def implementation(self, row: ProviderRow) -> type[MetadataProvider] | None:
        """The class that a row uses; None while no active plugin offers it."""
        return self._class(row.type)

    def implementation_of(
        self, name: str, config: Mapping[str, Any]
    ) -> type[MetadataProvider] | None:
        """The class that a row of that name and config would use."""
        return self._class(_type_of(name, config))

    def _class(self, kind: str) -> type[MetadataProvider] | None:
        try:
            found = self._providers.get("metadata", kind)
        except ProviderUnavailable:
            return None
        return found if isinstance(found, type) else None

    def all(self) -> Sequence[ProviderRow]:
        """By (priority, name)."""
        self.catch_up()
        rows = self._db.query("SELECT * FROM provider ORDER BY priority, name")
        return [_row(each) for each in rows]

    def find(self, name: str) -> ProviderRow | None:
        known = name.strip().lower()
        if not NAME_PATTERN.fullmatch(known):
            return None
        row = self._db.one("SELECT * FROM provider WHERE name = :name", {"name": known})
        return None if row is None else _row(row)

    def get(self, name: str) -> ProviderRow:
        """Raises NotFound."""
        self.catch_up()
        row = self.find(name)
        if row is None:
            raise NotFound(f"Provider with identifier '{name}' not found", code="RESOURCE")
        return row

    def hosts(self, name: str) -> frozenset[str]:
        """The hosts of the addresses in a row's config, and of those that the environment gives
        to ``tmdb``: an operator wrote them. None for a row that is not there."""
        row = self.find(name)
        if row is None:
            return frozenset()
        texts = [value for value in row.config.values() if isinstance(value, str)]
        if row.type == _TMDB:
            texts += [self._env.get(each, "") for each in _TMDB_ADDRESSES]
        return frozenset(filter(None, map(_host, texts)))

    def put(self, name: str, *, enabled: bool, priority: int, config: Mapping[str, Any]) -> None:
        """Makes the row, or replaces what it says; masked secrets keep their value."""
        with self._db.transaction():
            known = self.find(name)
            config = self.unmasked(known, config)
            values = {"enabled": enabled, "priority": priority, "config": config_text(config)}
            self._store(known, name, values)

    def change(self, name: str, values: Mapping[str, Any]) -> ProviderRow:
        """``enabled``, ``priority``, ``config``; raises NotFound."""
        with self._db.transaction():
            row = self.get(name)
            changes = dict(values)
            if "config" in changes:
                changes["config"] = config_text(self.unmasked(row, changes["config"]))
            if changes:
                self._store(row, row.name, changes)
        return self.get(name)

    def delete(self, name: str) -> None:
        """Raises NotFound."""
        if not self._table.delete(self.get(name).id):
            raise NotFound(f"Provider with identifier '{name}' not found", code="RESOURCE")

    def prefer(self, name: str) -> None:
        """Enables the row, puts it first, and moves the others one place back (5.9)."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE provider SET priority = priority + 1, updated_at = :now"
                " WHERE name <> :name",
                {"name": name, "now": self._clock.ms()},
            )
            known = self.find(name)
            values: dict[str, Any] = {"enabled": True, "priority": 0}
            if known is None:
                values["config"] = "{}"
            self._store(known, name, values)

    def change_key(self, key: str, store: Callable[[], object]) -> None:
        """Puts a key into the row ``tmdb`` (5.8, key sync), and calls what stores the setting:
        when that raises, nothing has changed."""
        with self._db.transaction():
            self._put_key(key)
            store()

    def catch_up(self) -> None:
        """Puts the setting's key into the row if that was not done yet, so that it can be called
        at any time."""
        key = self._key()
        if not self._has_put(key):
            with self._db.transaction():
                if not self._has_put(key):
                    self._put_key(key)

    def _has_put(self, key: str) -> bool:
        synced = self._notes.get(_SYNCED)
        return synced == _mark(key) or (synced is None and not key)

    def _put_key(self, key: str) -> None:
        known = self.find(_TMDB)
        if key:
            config = {**known.config, "apiKey": key} if known else self._first_config(key)
            values: dict[str, Any] = {"enabled": True, "config": config_text(config)}
            if known is None:
                values["priority"] = 0
            self._store(known, _TMDB, values)
        elif known is not None:
            self._store(known, _TMDB, {"enabled": False})
        self._notes.set(_SYNCED, _mark(key))

    def unmasked(self, known: ProviderRow | None, config: Mapping[str, Any]) -> dict[str, Any]:
        """A config as it was sent, with stored secrets in the place of their masks."""
        return _unmasked(config, known.config if known is not None else {})

    def shown(self, row: ProviderRow) -> dict[str, Any]:
        """The row of the contract, secrets masked."""
        found = self.implementation(row)
        schema = found.config_schema if found is not None else {}
        return {
            "id": row.id,
            "name": row.name,
            "enabled": row.enabled,
            "priority": row.priority,
            "config": _masked(row.config, schema),
            "available": found is not None,
            "configured": found is not None and _configured(found, row, self._clock),
            "created_at": self._clock.iso(row.created_at),
            "updated_at": self._clock.iso(row.updated_at),
        }

    def usable(self) -> bool:
        """Whether there is any row that could be asked."""
        return any(row.enabled and self.shown(row)["configured"] for row in self.all())

    def _first_config(self, key: str) -> dict[str, Any]:
        base = self._env.get("TMDB_BASE_URL") or "https://api.themoviedb.org/3"
        try:
            given = float(self._env.get("METADATA_RATE_LIMIT_RPS", ""))
        except ValueError:
            given = 0.0
        rate = given if 0.1 <= given <= 100 else 4.0  # as the provider judges it (8.3)
        shown = int(rate) if rate.is_integer() else rate
        return {"apiKey": key, "baseUrl": base, "rateLimitRps": shown}

    def _store(self, known: ProviderRow | None, name: str, values: Mapping[str, Any]) -> None:
        now = self._clock.ms()
        if known is not None:
            self._table.update(known.id, {**values, "updated_at": now})
            return
        row = {"id": str(uuid.uuid4()), "name": name, **values}
        self._table.insert({**row, "created_at": now, "updated_at": now})


class _Quiet:
    """What a provider gets that is only asked whether it is configured."""

    stopping = False

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.log = logging.getLogger("stagebox.plugins.media.providers")

    def once(self, key: str, ask: Callable[[], Any]) -> Any:
        return ask()


def _configured(found: type[MetadataProvider], row: ProviderRow, clock: Clock) -> bool:
    try:
        instance = found(row.config, _Quiet(clock))
        try:
            return bool(instance.is_configured())
        finally:
            instance.close()
    except Exception:  # a provider of somebody else: one that cannot even be made is of no use
        return False


def _row(row: Mapping[str, Any]) -> ProviderRow:
    return ProviderRow(
        id=row["id"],
        name=row["name"],
        enabled=bool(row["enabled"]),
        priority=row["priority"],
        config=json.loads(row["config"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _host(text: str) -> str | None:
    """Of an ``http`` or ``https`` address, in lower case."""
    try:
        parts = urlsplit(text.strip())
        return parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        return None


def config_text(config: Mapping[str, Any]) -> str:
    return json.dumps(config, ensure_ascii=False, separators=(",", ":"))
