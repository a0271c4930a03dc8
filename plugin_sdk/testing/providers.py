"""``context.providers``, ``context.services`` and ``context.hooks`` in memory."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import pluggy

from plugin_sdk.context import HookResult
from plugin_sdk.errors import Forbidden, Invalid, NotFound, ProviderUnavailable
from plugin_sdk.hookspecs import PROJECT
from plugin_sdk.providers import Provider, ProviderEntry

__all__ = ["FakeHooks", "FakeProviders", "FakeServices"]

_SERVICE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


class FakeProviders:
    """``context.providers`` in tests, filled by the test::

        context.providers.add("song_format", "sloppak", FakeFormat(), plugin_id="songs")

    The first one of a type is active until `choose` says otherwise.
    """

    def __init__(self) -> None:
        self._registered: list[tuple[str, Provider]] = []
        self._chosen: dict[str, str] = {}

    def add(self, type: str, name: str, implementation: Any, *, plugin_id: str = "other") -> None:
        """Registers a provider, also in the place of one of the same type and name."""
        self.remove(type, name)
        self._registered.append((plugin_id, Provider(type, name, implementation)))

    def remove(self, type: str, name: str) -> None:
        """Takes it away, as when its owner is switched off."""
        self._registered = [
            (owner, each)
            for owner, each in self._registered
            if (each.type, each.name) != (type, name)
        ]

    def choose(self, type: str, name: str) -> None:
        """Makes a registered provider the active one. Raises ProviderUnavailable."""
        self.get(type, name)
        self._chosen[type] = name

    def active(self, type: str) -> Any:
        found = self._of(type)
        if not found:
            raise ProviderUnavailable(f"No {type} provider is active.")
        return found[0].implementation

    def get(self, type: str, name: str) -> Any:
        for each in self._of(type):
            if each.name == name:
                return each.implementation
        raise ProviderUnavailable(f'There is no {type} provider "{name}".')

    def chain(self, type: str) -> Sequence[Any]:
        return [each.implementation for each in self._of(type)]

    def entries(self, type: str | None = None) -> Sequence[ProviderEntry]:
        owners = {(each.type, each.name): owner for owner, each in self._registered}
        types = dict.fromkeys(each.type for _, each in self._registered)
        return [
            ProviderEntry(
                each.type,
                each.name,
                owners[each.type, each.name],
                each is self._of(each.type)[0],
                self._chosen.get(each.type) == each.name,
            )
            for known in types
            if type in (None, known)
            for each in self._of(known)
        ]

    def _of(self, type: str) -> list[Provider]:
        found = [each for _, each in self._registered if each.type == type]
        return sorted(found, key=lambda each: each.name != self._chosen.get(type))


class FakeServices:
    """``context.services`` in tests; `add` puts there what other plugins, or the host, offer::

    context.services.add("rooms.store", FakeRooms())
    context.services.add("host.info", FakeInfo())      # for a bundled plugin
    """

    def __init__(self, plugin_id: str) -> None:
        self.offered: dict[str, object] = {}
        """What the plugin itself offers."""
        self._plugin_id = plugin_id
        self._others: dict[str, object] = {}

    def add(self, name: str, service: object) -> None:
        """Offers a service in the name of somebody else."""
        self._others[name] = service

    def remove(self, name: str) -> None:
        """Takes back what `add` put there."""
        self._others.pop(name, None)

    def offer(self, name: str, service: object) -> None:
        prefix = self._plugin_id + "."
        if not name.startswith(prefix) or not _SERVICE.fullmatch(name.removeprefix(prefix)):
            raise Invalid(
                f'A service of {self._plugin_id} must be named "{prefix}<name>", not "{name}".'
            )
        self.offered[name] = service

    def get(self, name: str) -> Any:
        service = self.find(name)
        if service is None:
            raise ProviderUnavailable(f"Nobody offers the service {name} right now.")
        return service

    def find(self, name: str) -> Any | None:
        if name in self._others:
            return self._others[name]
        if name.startswith("host."):
            raise Forbidden(f"The service {name} is for bundled plugins only.")
        return self.offered.get(name)


@dataclass(frozen=True, slots=True)
class _Answer:
    plugin_id: str
    value: Any = None
    error: Exception | None = None


class FakeHooks:
    """``context.hooks`` in tests: real pluggy, asked one plugin at a time::

    class Louder:
        @hookimpl
        def soundboard_volume(self, sound): return 2.0

    context.hooks.add_hookspecs(soundboard.hooks)      # context.start(plugin) does this
    context.hooks.register("example.louder", Louder())
    assert context.hooks.first("soundboard_volume", sound=SOUND) == 2.0
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._manager = pluggy.PluginManager(PROJECT)
        self._added: list[object] = []

    def add_hookspecs(self, *specifications: ModuleType | type) -> None:
        """Adds modules or classes with hook specifications, each once; ValueError when one has
        none."""
        for each in specifications:
            if each not in self._added:  # pluggy refuses a specification that it knows
                self._manager.add_hookspecs(each)
                self._added.append(each)

    def register(self, plugin_id: str, plugin: object) -> None:
        """Adds a plugin that answers. Raises pluggy.PluginValidationError for an implementation
        with arguments that its specification does not have."""
        self._manager.register(plugin, name=plugin_id)

    def unregister(self, plugin: object) -> None:
        """Takes it away, if it is there."""
        if self._manager.is_registered(plugin):
            self._manager.unregister(plugin)

    def call(self, name: str, **arguments: Any) -> list[HookResult]:
        answers: list[HookResult] = []
        for implementation in self._implementations(name):
            given = {each: arguments[each] for each in implementation.argnames}
            try:
                value = implementation.function(**given)
            except Exception as error:  # foreign code may raise anything; the others are asked
                self._log.exception("Hook %s of %s raised.", name, implementation.plugin_name)
                answers.append(_Answer(implementation.plugin_name, error=error))
            else:
                answers.append(_Answer(implementation.plugin_name, value))
        return answers

    def first(self, name: str, **arguments: Any) -> Any:
        for implementation in self._implementations(name):
            given = {each: arguments[each] for each in implementation.argnames}
            value = implementation.function(**given)
            if value is not None:
                return value
        return None

    def implemented(self, name: str) -> bool:
        return any(True for _ in self._implementations(name))

    def _implementations(self, name: str) -> Iterable[pluggy.HookImpl]:
        caller: pluggy.HookCaller | None = getattr(self._manager.hook, name, None)
        if caller is None or caller.spec is None:
            raise NotFound(f"No hook specification {name} was added.")
        return reversed(caller.get_hookimpls())
