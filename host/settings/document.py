"""The settings document of one plugin: its schema, and what a change makes of what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from host.schemas import Validator, compile_schema, problems
from host.settings.secrets import MASK, MISSING, Secrets
from plugin_sdk import Conflict, Invalid, Problem, check_json
from plugin_sdk.management import SettingSource

__all__ = ["Change", "SettingsDocument", "copied"]

_MAX_DEPTH: Final = 32
_Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be stored: values by name, and names whose stored value goes."""

    stored: _Values
    removed: frozenset[str]


class SettingsDocument:
    """The rules of one plugin. ``pinned`` is what the operator's file says."""

    def __init__(self, schema: _Values | None, pinned: _Values) -> None:
        self.given_schema = schema
        full = {"type": "object", "properties": {}, **(schema or {})}
        full.setdefault("additionalProperties", False)
        self._required: list[str] = list(full.pop("required", ()))
        self._schema = full
        self._properties: _Values = full["properties"]
        self._given_pinned = pinned
        self._secrets = Secrets(full)
        self.defaults = {
            name: definition["default"]
            for name, definition in self._properties.items()
            if isinstance(definition, Mapping) and "default" in definition
        }

    @cached_property
    def _validator(self) -> Validator:
        # Without "required", which depends on whether a document is replaced or changed.
        return compile_schema(self._schema)

    @cached_property
    def pinned(self) -> _Values:
        """What the file pins, as far as it fits."""
        return self.fitting(self._given_pinned)[0]

    @property
    def pinned_problems(self) -> list[Problem]:
        """What is wrong with the file's values; those are not in force."""
        return self.fitting(self._given_pinned)[1]

    def effective(self, stored: _Values) -> Mapping[str, Any]:
        """Every property with its value; ``stored`` must fit."""
        values = dict.fromkeys(self._properties)
        values.update(copied(self.defaults))
        values.update(stored)
        values.update(copied(dict(self.pinned)))
        return MappingProxyType(values)

    def sources(self, stored: _Values) -> dict[str, SettingSource]:
        """Which of them `effective` takes for each property."""
        found: dict[str, SettingSource] = dict.fromkeys(self.effective(stored), "default")
        found.update(dict.fromkeys(stored, "stored"))
        found.update(dict.fromkeys(self.pinned, "file"))
        return found

    def fitting(self, values: _Values) -> tuple[dict[str, Any], list[Problem]]:
        """The values that fit the schema, and what is wrong with the others."""
        if not values:
            return {}, []
        document = {**self.defaults, **values}
        found = problems(self._validator, document)
        if not found:
            return dict(values), []
        bad = set(self._offenders(document))
        return {name: value for name, value in values.items() if name not in bad}, found

    def _offenders(self, document: _Values) -> Iterator[str]:
        for error in self._validator.iter_errors(document):
            if error.absolute_path:
                yield str(error.absolute_path[0])
            elif error.validator == "additionalProperties":
                for name in document:
                    if problems(self._validator, {name: document[name]}):
                        yield name

    def shown(self, effective: _Values) -> dict[str, Any]:
        """As it may be shown: secrets masked."""
        return {name: self._secrets.masked(name, copied(v)) for name, v in effective.items()}

    def replacement(self, values: _Values, stored: _Values) -> Change:
        """Absent names go back to their default, except pinned ones, whose stored value waits.

        Raises Invalid with every problem, or Conflict for another value than a pinned one."""
        given = self._given(values, stored)
        for name in [name for name, value in given.items() if value is None]:
            # What has neither value nor default is shown as null: sent back, it means the same.
            if name in self._properties and self._null_means_nothing(name):
                del given[name]
        document = {**self.defaults, **self.pinned, **given}
        self._refuse(document, [name for name in self._required if document.get(name) is None])
        self._refuse_pinned(given)
        new = {name: value for name, value in given.items() if name not in self.pinned}
        return Change(new, frozenset(stored) - set(new) - set(self.pinned))

    def update(self, changes: _Values, stored: _Values) -> Change:
        """Names that are not mentioned stay; None returns one to its default. Raises as
        `replacement` does."""
        given = self._given(changes, stored)
        gone = {name for name, value in given.items() if value is None}
        known_gone = {name for name in gone if name in self._properties or name in stored}
        document = {**self.defaults, **self.fitting(stored)[0], **self.pinned, **given}
        for name in known_gone:
            del document[name]
            if name in self.defaults:
                document[name] = self.defaults[name]
        self._refuse(document, [name for name in self._required if name in gone - set(document)])
        self._refuse_pinned(given)
        new = {name: value for name, value in given.items() if name not in gone}
        return Change(new, frozenset(gone))

    def problems(self, values: _Values, stored: _Values, *, partial: bool) -> list[Problem]:
        """Why `replacement` (``partial``: `update`) would raise Invalid."""
        try:
            if partial:
                self.update(values, stored)
            else:
                self.replacement(values, stored)
        except Invalid as error:
            return list(error.details) or [Problem("", error.message)]
        except Conflict:
            return []  # what is pinned is judged after all else
        return []

    def _given(self, values: _Values, stored: _Values) -> dict[str, Any]:
        """What was sent, with stored secrets in the place of their masks."""
        if not isinstance(values, Mapping):
            raise Invalid("Settings are an object.")
        check_json(dict(values), max_depth=_MAX_DEPTH)
        given: dict[str, Any] = {}
        for name, value in values.items():
            if value == MASK and name in self.pinned and self._secrets.is_secret(name):
                continue
            try:
                restored = self._secrets.restored(name, value, stored.get(name, MISSING))
            except Invalid as error:
                raise _refusal([Problem(name, error.message)]) from None
            if restored is not MISSING:
                given[name] = copied(restored)
        return given

    def _null_means_nothing(self, name: str) -> bool:
        return name not in self.defaults or self._secrets.is_secret(name)

    def _refuse(self, document: _Values, missing: list[str]) -> None:
        found = problems(self._validator, document)
        found += [Problem(name, "is missing") for name in missing]
        if found:
            raise _refusal(found)

    def _refuse_pinned(self, given: _Values) -> None:
        others = [
            name
            for name, value in given.items()
            if name in self.pinned and not _same(value, self.pinned[name])
        ]
        if others:
            raise Conflict(
                f"{', '.join(sorted(others))} cannot be changed here: the operator's file "
                "stagebox.toml decides.",
                details=[Problem(name, "is pinned by stagebox.toml") for name in sorted(others)],
            )


def _refusal(found: list[Problem]) -> Invalid:
    first = found[0]
    where = "" if first.message.startswith('"') or not first.path else f"{first.path} "
    more = f" (and {len(found) - 1} more problems)" if len(found) > 1 else ""
    end = "" if first.message.endswith("?") else "."
    return Invalid(f"The settings are not valid{more}: {where}{first.message}{end}", details=found)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON values: 1 is 1.0, but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def copied(value: Any) -> Any:
    """A JSON value of one's own."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copied(item) for item in value]
    return value
