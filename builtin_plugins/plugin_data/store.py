"""The service ``plugin_data.store``: plugin data that were imported, and meta."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, cast

from builtin_plugins.plugin_data.guard import Guard, PluginGuard
from builtin_plugins.plugin_data.meta import Meta
from builtin_plugins.plugin_data.names import (
    address,
    check_meta,
    is_plugin_id,
    storable,
    value_text,
)
from builtin_plugins.plugin_data.rows import Address, Rows
from builtin_plugins.plugin_data.tables import CURRENT_USER
from plugin_sdk import ANONYMOUS, Context, Principal, ScopeKind
from plugin_sdk.management import PluginDataReader

__all__ = ["PluginDataStore"]


class PluginDataStore:
    """What other plugins get as ``plugin_data.store`` (local REST contract, section 7.3).

    Data belong to an owner: the text of meta key ``metoyou_currentUserId``, or ``""`` while that
    is unset; ``owner=None`` means the current one. Scope ``local`` ignores ``server_id``.

    The service itself writes what it is told: it is for code that acts for the operator, and
    among plugins of one process trust is all there is. A plugin that acts for itself or for a
    caller takes `for_plugin`, which checks.

    Each call is one transaction; `batch` joins many. Afterwards the events ``plugin_data.changed``
    ``{pluginId, key, scope, serverId}`` and ``plugin_data.meta_changed`` ``{key}`` tell of it;
    writing what is there already is no change.
    """

    def __init__(
        self, context: Context, live: PluginDataReader, guard: Guard | None = None
    ) -> None:
        self._context = context
        self._live = live
        self._guard = guard or Guard()
        self._rows = Rows(context.db)
        self._meta = Meta(context.db)

    def for_plugin(self, context: Context, principal: Principal = ANONYMOUS) -> PluginDataStore:
        """The store of one plugin that acts for ``principal``. Under its own id it writes as it
        likes; elsewhere the principal must hold ``plugin_data:write-all``, for meta
        ``plugin_data:write-meta``, else writing raises Forbidden."""
        guard = PluginGuard(context.plugin_id, principal, self._context.permissions)
        return PluginDataStore(self._context, self._live, guard)

    def batch(self) -> AbstractContextManager[None]:
        """All calls inside are one transaction."""
        return self._context.db.transaction()

    def text(
        self,
        plugin_id: str,
        key: str,
        scope: str = "local",
        server_id: str = "",
        owner: str | None = None,
    ) -> str | None:
        """The JSON text that ``GET /api/plugin-data`` shows, or None when there is nothing.

        What the plugin itself keeps on this host comes first: that is live. Rows in here serve
        plugins that keep nothing. With an ``owner`` only that one's row is asked for."""
        server_id = "" if scope == "local" else server_id
        if not storable(plugin_id, key, server_id, owner or ""):
            return None
        if owner is None and scope in ("local", "server") and is_plugin_id(plugin_id):
            live = self._live.get(plugin_id, cast("ScopeKind", scope), server_id, key)
            if live is not None:
                return live
        return self._rows.read(Address(plugin_id, key, scope, server_id, owner))

    def get(
        self,
        plugin_id: str,
        key: str,
        scope: str = "local",
        server_id: str = "",
        owner: str | None = None,
    ) -> Any:
        """The value of `text`."""
        text = self.text(plugin_id, key, scope, server_id, owner)
        return None if text is None else json.loads(text)

    def set(
        self,
        plugin_id: str,
        key: str,
        value: Any,
        scope: str = "local",
        server_id: str = "",
        owner: str | None = None,
    ) -> None:
        """Stores or replaces. Raises Invalid with every problem, TooLarge, Forbidden."""
        place = address(plugin_id, key, scope, server_id, owner)
        self._guard.data(plugin_id)
        text = value_text(key, value)
        with self.batch():
            if self._rows.write(place, text, self._context.clock.ms()):
                self._changed(place)

    def remove(
        self,
        plugin_id: str,
        key: str,
        scope: str = "local",
        server_id: str = "",
        owner: str | None = None,
    ) -> bool:
        """False when there was nothing. Raises Invalid, Forbidden."""
        place = address(plugin_id, key, scope, server_id, owner)
        self._guard.data(plugin_id)
        with self.batch():
            removed = self._rows.delete(place)
            if removed:
                self._changed(place)
        return removed

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows in the form of an import, in constant memory: ``pluginId``, ``key``,
        ``value``, ``scope``, ``owner``, and ``serverId`` for scope server."""
        return self._rows.all()

    def clear(self) -> int:
        """Removes all rows; one event ``plugin_data.cleared`` tells of it. Raises Forbidden."""
        self._guard.all_data()
        with self.batch():
            removed = self._rows.delete_all()
            if removed:
                self._context.events.emit("plugin_data.cleared")
        return removed

    def holds(self, plugin_id: str) -> bool:
        """Whether there is any row under this id."""
        return storable(plugin_id) and self._rows.holds(plugin_id)

    def held(self, plugin_id: str) -> int:
        """How many rows there are under this id: every owner, scope and server."""
        return self._rows.count_plugin(plugin_id) if storable(plugin_id) else 0

    def purge(self, plugin_id: str) -> int:
        """Removes all rows under this id: every owner, scope and server. Raises Forbidden."""
        self._guard.data(plugin_id)
        return self._rows.delete_plugin(plugin_id) if storable(plugin_id) else 0

    def owner(self) -> str:
        """The current owner."""
        return self._meta.read(CURRENT_USER) or ""

    def get_meta(self, key: str) -> str | None:
        return self._meta.read(key) if storable(key) else None

    def set_meta(self, key: str, value: str) -> None:
        """Raises Invalid for what is no text, TooLarge, Forbidden."""
        check_meta(key, value)
        self._guard.meta()
        with self.batch():
            if self._meta.write(key, value):
                self._meta_changed(key)

    def unset_meta(self, key: str) -> bool:
        """False when there was nothing. Raises Forbidden."""
        self._guard.meta()
        with self.batch():
            removed = storable(key) and self._meta.delete(key)
            if removed:
                self._meta_changed(key)
        return removed

    def metas(self) -> dict[str, str]:
        """All keys with their texts, in the order of the keys."""
        return self._meta.all()

    def clear_meta(self) -> int:
        """Removes all keys, and tells of each. Raises Forbidden."""
        self._guard.meta()
        with self.batch():
            return sum([self.unset_meta(key) for key in self.metas()])

    def _changed(self, place: Address) -> None:
        data = {
            "pluginId": place.plugin_id,
            "key": place.key,
            "scope": place.scope,
            "serverId": place.server_id,
        }
        self._context.events.emit("plugin_data.changed", data)

    def _meta_changed(self, key: str) -> None:
        self._context.events.emit("plugin_data.meta_changed", {"key": key})
