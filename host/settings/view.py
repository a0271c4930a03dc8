"""``context.settings``: one plugin's view of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from host.settings.document import copied
from host.suggestions import suggestion_suffix
from plugin_sdk import Settings

__all__ = ["PluginSettings", "Source"]

NamesCallback = Callable[[frozenset[str]], object]


class Source(Protocol):
    """What a view needs of the store."""

    def effective(self, plugin_id: str) -> Mapping[str, Any]: ...
    def update(self, plugin_id: str, changes: Mapping[str, Any]) -> dict[str, Any]: ...
    def watch(self, plugin_id: str, callback: NamesCallback) -> Callable[[], None]: ...


class PluginSettings(Settings):
    """The settings of one plugin. Lists and objects are handed out as copies."""

    def __init__(self, source: Source, plugin_id: str) -> None:
        self._source = source
        self._plugin_id = plugin_id
        self._stops: list[Callable[[], None]] = []
        self._closed = False

    def __getitem__(self, name: str) -> Any:
        values = self._source.effective(self._plugin_id)
        try:
            value = values[name]
        except KeyError:
            hint = suggestion_suffix(name, values)
            raise KeyError(
                f'Plugin {self._plugin_id} has no setting "{name}"'
                + (f";{hint}" if hint else ": its plugin.json does not declare it.")
            ) from None
        return copied(value) if isinstance(value, dict | list) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._source.effective(self._plugin_id))

    def __len__(self) -> int:
        return len(self._source.effective(self._plugin_id))

    def __contains__(self, name: object) -> bool:
        return name in self._source.effective(self._plugin_id)

    def get(self, name: str, default: Any = None) -> Any:
        value = self._source.effective(self._plugin_id).get(name)
        return default if value is None else copied(value)

    def as_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = copied(dict(self._source.effective(self._plugin_id)))
        return values

    def update(self, changes: Mapping[str, Any]) -> None:
        self._source.update(self._plugin_id, changes)

    def on_change(self, callback: NamesCallback) -> None:
        if not self._closed:
            self._stops.append(self._source.watch(self._plugin_id, callback))

    def close(self) -> None:
        """The plugin is switched off: nobody is called back any more."""
        self._closed = True
        for stop in self._stops:
            stop()
        self._stops.clear()
