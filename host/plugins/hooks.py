"""pluggy's manager, and calls that go through it one plugin at a time.

pluggy stops at the first exception of a hook call and does not say who answered; so the host
goes through the implementations itself, each fenced and attributed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import pluggy

from host.plugins.gate import Gate
from plugin_sdk import HOOK_NAMES, Conflict, Logger, Plugin, StageboxError, hookspecs
from plugin_sdk.context import HookResult, Hooks
from plugin_sdk.hookspecs import PROJECT

__all__ = ["HookRegistry", "PluginHooks", "fenced"]

_DEFAULTS: Final = {name: Plugin.__dict__[name] for name in ("decide", "purge", "diagnostics")}
"""What says nothing need not be asked, for every request once more."""


@dataclass(frozen=True, slots=True)
class _Result:
    plugin_id: str
    value: Any = None
    error: Exception | None = None


def fenced(gate: Gate, call: Callable[..., Any], *, slot: bool = False) -> Callable[..., Any]:
    """The call behind its plugin's gate: counted, refused while the plugin drains, and with a
    stray ``sys.exit()`` turned into an ordinary failure."""

    def run(*arguments: Any, **named: Any) -> Any:
        gate.enter(slot=slot)
        failed = True
        try:
            result = call(*arguments, **named)
            failed = False
            return result
        except StageboxError as error:
            failed = error.status == 500  # what others cannot do now is no fault of the plugin
            raise
        except SystemExit as error:
            raise RuntimeError(f"called sys.exit({error.code!r})") from error
        finally:
            gate.leave(slot=slot, failed=failed)

    return run


class HookRegistry:
    """The plugins that can be asked. Instances are registered under their id."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._lock = threading.Lock()
        self._gates: dict[int, tuple[str, Gate]] = {}
        self._specified: dict[str, tuple[str, int]] = {}

    def add(self, plugin_id: str, plugin: Plugin, gate: Gate) -> None:
        """Raises pluggy.PluginValidationError for a hook with arguments that its specification
        does not have; nothing stays registered then."""
        with self._lock:
            self._gates[id(plugin)] = (plugin_id, gate)
            try:
                for specifications in plugin.hookspecs:
                    self._specify(plugin_id, plugin, specifications)
                self._manager.register(plugin, name=f"{plugin_id}#{id(plugin)}")
            except BaseException:
                self._forget(plugin)
                raise

    def remove(self, plugin: Plugin) -> None:
        """Does nothing when it is not registered. Calls that run are not waited for: gates do
        that."""
        with self._lock:
            self._forget(plugin)

    def _specify(self, plugin_id: str, plugin: Plugin, specifications: ModuleType | type) -> None:
        """Adds hook specifications, in place of those of an older instance of the same plugin."""
        for name in dir(specifications):
            owner = ("the host", 0) if name in HOOK_NAMES else self._specified.get(name)
            if owner is not None and owner[0] != plugin_id:
                raise Conflict(f"The hook {name} is specified already, by {owner[0]}.")
            if owner is not None:
                self._unspecify(name)
        self._manager.add_hookspecs(specifications)
        for name, caller in vars(self._manager.hook).items():
            spec = caller.spec if isinstance(caller, pluggy.HookCaller) else None
            if spec is not None and spec.namespace is specifications:
                self._specified[name] = (plugin_id, id(plugin))

    def _unspecify(self, name: str) -> None:
        # pluggy has no word for it, and refuses a second specification of one name.
        getattr(self._manager.hook, name).spec = None
        del self._specified[name]

    def _forget(self, plugin: Plugin) -> None:
        if self._manager.is_registered(plugin):
            self._manager.unregister(plugin)
        self._gates.pop(id(plugin), None)
        for name in [name for name, owner in self._specified.items() if owner[1] == id(plugin)]:
            self._unspecify(name)

    def implementations(self, name: str) -> Iterator[tuple[str, Gate, Callable[..., Any]]]:
        """Plugin id, gate and function of each implementation, in pluggy's order of calling."""
        caller = getattr(self._manager.hook, name, None)
        if caller is None:
            return
        for implementation in reversed(caller.get_hookimpls()):
            owner = self._gates.get(id(implementation.plugin))
            default = getattr(implementation.function, "__func__", None) is _DEFAULTS.get(name)
            if owner is not None and not default:
                function = implementation.function
                yield owner[0], owner[1], _with_names(function, implementation.argnames)

    def call(self, name: str, **arguments: Any) -> list[_Result]:
        """Asks everybody; what one raises is logged and stands in its result."""
        results: list[_Result] = []
        for plugin_id, gate, function in self.implementations(name):
            if gate.closed:
                continue
            try:
                results.append(_Result(plugin_id, fenced(gate, function)(**arguments)))
            except Exception as error:  # foreign code: anything may come
                self._log.error(
                    "Hook %s of plugin %s failed.",
                    name,
                    plugin_id,
                    exc_info=error,
                    extra={"plugin": plugin_id},
                )
                results.append(_Result(plugin_id, error=error))
        return results


def _with_names(function: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    def call(**arguments: Any) -> Any:
        return function(**{name: arguments[name] for name in names})

    return call


class PluginHooks(Hooks):
    """``context.hooks``."""

    def __init__(self, registry: HookRegistry) -> None:
        self._registry = registry

    def call(self, name: str, **arguments: Any) -> list[HookResult]:
        return list(self._registry.call(name, **arguments))

    def first(self, name: str, **arguments: Any) -> Any:
        for _plugin_id, gate, function in self._registry.implementations(name):
            if gate.closed:
                continue
            value = fenced(gate, function)(**arguments)
            if value is not None:
                return value
        return None

    def implemented(self, name: str) -> bool:
        return next(iter(self._registry.implementations(name)), None) is not None
