"""``context.settings`` in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from plugin_sdk.errors import Conflict, Invalid, Problem
from plugin_sdk.strict_json import dump_json

__all__ = ["FakeSettings"]


class FakeSettings:
    """``context.settings`` in tests: stored values over the defaults of a schema::

        context = FakeContext(settings={"maxSounds": 2}, settings_schema=SCHEMA)
        context.settings.update({"maxSounds": 3})     # what an administrator would do

    Unknown names are refused once there is a schema. Whether a value fits its schema is judged by
    the host alone: everything that is JSON is taken here. ``pinned`` are names that the
    operator's file decides. Raises Invalid for values that are no JSON.
    """

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        schema: Mapping[str, Any] | None = None,
        *,
        pinned: Iterable[str] = (),
    ) -> None:
        given = dict(values or {})
        properties = given if schema is None else schema.get("properties", {})
        self._open = schema is None or bool(schema.get("additionalProperties", False))
        self._defaults: dict[str, Any] = {
            name: definition.get("default") if schema is not None else None
            for name, definition in properties.items()
        }
        self._refuse_unknown(given)
        self._stored: dict[str, Any] = json.loads(dump_json(given))
        self._pinned = frozenset(pinned)
        self._callbacks: list[Callable[[frozenset[str]], object]] = []

    def __getitem__(self, name: str) -> Any:
        values = self.as_dict()
        if name not in values:
            raise KeyError(f'There is no setting "{name}": plugin.json does not declare it.')
        return values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __len__(self) -> int:
        return len(self.as_dict())

    def __contains__(self, name: object) -> bool:
        return name in self.as_dict()

    def get(self, name: str, default: Any = None) -> Any:
        value = self.as_dict().get(name)
        return default if value is None else value

    def as_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(dump_json({**self._defaults, **self._stored}))
        return values

    def update(self, changes: Mapping[str, Any]) -> None:
        self._refuse_unknown(changes)
        copy = json.loads(dump_json(dict(changes)))
        pinned = sorted(self._pinned & copy.keys())
        if pinned:
            raise Conflict(f"The operator's file decides {', '.join(pinned)}.")
        before = self.as_dict()
        for name, value in copy.items():
            if value is None:
                self._stored.pop(name, None)
            else:
                self._stored[name] = value
        after = self.as_dict()
        changed = {name for name in copy if before.get(name) != after.get(name)}
        if changed:
            for callback in list(self._callbacks):
                callback(frozenset(changed))

    def on_change(self, callback: Callable[[frozenset[str]], object]) -> None:
        self._callbacks.append(callback)

    def disconnect(self) -> None:
        """Forgets all callbacks, as when the plugin is switched off."""
        self._callbacks.clear()

    def _refuse_unknown(self, values: Mapping[str, Any]) -> None:
        if self._open:
            return
        unknown = [name for name in values if name not in self._defaults]
        if unknown:
            raise Invalid(
                f"The settings schema has no {', '.join(unknown)}.",
                details=[Problem(name, "is not a setting of this plugin") for name in unknown],
            )
