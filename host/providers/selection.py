"""Which provider is active: one frozen answer made of what is registered and what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from plugin_sdk import Conflict, ProviderEntry

__all__ = ["CHAIN_TYPES", "PARALLEL_TYPES", "STORAGE", "Choices", "Registered", "Selection"]

STORAGE: Final = "storage"
CHAIN_TYPES: Final = frozenset({"metadata"})
PARALLEL_TYPES: Final = frozenset({"auth", "song_format"})
"""All that are registered are active side by side; there is nothing to choose."""

_DEFAULT_STORAGE: Final = "local"
_ALWAYS_LISTED: Final = (STORAGE, "metadata")

Choices = Mapping[str, Sequence[str]]
"""Names by type: of a single type the chosen one, of a chain the order of asking."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A provider of an active plugin."""

    plugin_id: str
    type: str
    name: str
    implementation: Any


@dataclass(frozen=True, slots=True)
class Selection:
    """All types at one moment; each list is in the order of asking."""

    by_type: Mapping[str, tuple[Registered, ...]] = field(default_factory=dict)
    active: Mapping[str, Registered] = field(default_factory=dict)
    choices: Choices = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        registered: Sequence[Registered],
        choices: Choices,
        rank: Callable[[Registered], int],
    ) -> Selection:
        """``rank`` orders those that no choice puts in order. Raises Conflict when two plugins
        register one name."""
        by_type: dict[str, list[Registered]] = {}
        for each in registered:
            known = by_type.setdefault(each.type, [])
            for other in known:
                if other.name == each.name:
                    raise Conflict(
                        f"The {each.type} provider {each.name} of plugin {each.plugin_id} has the "
                        f"name of one of plugin {other.plugin_id}.",
                        code="PROVIDER_CONFLICT",
                    )
            known.append(each)
        ordered: dict[str, tuple[Registered, ...]] = {}
        active: dict[str, Registered] = {}
        for type_, found in by_type.items():
            found.sort(key=rank)
            if type_ in CHAIN_TYPES:
                order = {name: place for place, name in enumerate(choices.get(type_, ()))}
                found.sort(key=lambda each: order.get(each.name, len(order)))
            ordered[type_] = tuple(found)
            leader = _leader(type_, ordered[type_], choices.get(type_, ()))
            if leader is not None:
                active[type_] = leader
        return cls(ordered, active, choices)

    def chain(self, type: str) -> list[Registered]:
        """Those of a type, the active one first."""
        found = self.by_type.get(type, ())
        leader = self.active.get(type)
        return sorted(found, key=lambda each: each is not leader)

    def entries(self, type: str) -> list[ProviderEntry]:
        """As a listing shows them."""
        everybody = type in CHAIN_TYPES | PARALLEL_TYPES
        leader = self.active.get(type)
        return [
            ProviderEntry(
                type=type,
                name=each.name,
                plugin_id=each.plugin_id,
                active=everybody or each is leader,
                chosen=self._is_chosen(type, each),
            )
            for each in self.by_type.get(type, ())
        ]

    def types(self) -> list[str]:
        """The two that are always listed, then the others in order."""
        return [*_ALWAYS_LISTED, *sorted(self.by_type.keys() - set(_ALWAYS_LISTED))]

    def _is_chosen(self, type: str, each: Registered) -> bool:
        if type in PARALLEL_TYPES:
            return False
        if type in CHAIN_TYPES:
            return each is self.by_type[type][0]
        chosen = self.choices.get(type)
        return each.name == chosen[0] if chosen else each is self.active.get(type)


def _leader(type: str, found: Sequence[Registered], chosen: Sequence[str]) -> Registered | None:
    """The one that is active, or of a chain the first."""
    if type in CHAIN_TYPES:
        return found[0]
    wanted = chosen[0] if chosen else None
    if type == STORAGE:
        # Never another than the chosen one: bytes would be written to where nobody looks.
        wanted = wanted or _DEFAULT_STORAGE
        return next((each for each in found if each.name == wanted), None)
    return next((each for each in found if each.name == wanted), found[0])
