"""Data of plugins and named texts, for signed-in clients to read (local REST contract, 5.6, 5.7).

Other plugins write through the service ``plugin_data.store``; see `store`.
"""

from __future__ import annotations

from collections.abc import Mapping

from builtin_plugins.plugin_data.routes import META, NO_STORE, QUERY, VALUE
from builtin_plugins.plugin_data.store import PluginDataStore
from builtin_plugins.plugin_data.tables import create_tables
from plugin_sdk import (
    Database,
    NotFound,
    Plugin,
    Request,
    Response,
    migration,
    route,
)
from plugin_sdk.exposure import LanGuard
from plugin_sdk.hookspecs import PurgeScope


class PluginData(Plugin):
    _store: PluginDataStore
    _lan: LanGuard

    @migration("0001-plugin-data-and-meta")
    def _create_tables(self, db: Database) -> None:
        create_tables(db)

    def enable(self) -> None:
        services = self.context.services
        self._store = PluginDataStore(self.context, services.get("host.data"))
        self._lan = LanGuard.of(services.get("host.settings"), "local_api", "exposeOnLan")
        services.offer("plugin_data.store", self._store)

    def guard(self, request: Request) -> None:
        self._lan.check(request)

    @route(
        "GET",
        "/api/plugin-data",
        query=QUERY,
        returns=VALUE,
        errors=(400, 401),
        access="token",
        operation_id="getPluginData",
        tags=["plugin data"],
    )
    def read(self, request: Request) -> Response:
        """What a plugin keeps under a key.

        Null when there is nothing. Scope server needs serverId; scope local ignores it.
        """
        query = request.query
        server_id = query["serverId"] if query["scope"] == "server" else ""
        text = self._store.text(query["pluginId"], query["key"], query["scope"], server_id)
        return Response.json_text('{"value":' + (text or "null") + "}", headers=NO_STORE)

    @route(
        "GET",
        "/api/meta/{key:path}",
        returns=META,
        errors=(401, 404),
        access="token",
        operation_id="getMeta",
        tags=["plugin data"],
    )
    def read_meta(self, request: Request) -> Response:
        """A named text; its key is everything behind /api/meta/."""
        key = request.params["key"]
        value = self._store.get_meta(key)
        if value is None:
            raise NotFound("There is no such key.")
        return Response({"key": key, "value": value}, headers=NO_STORE)

    def holds(self, plugin_id: str) -> Mapping[str, int]:
        return {"rows of clients": self._store.held(plugin_id)}

    def purge(self, plugin_id: str, scope: PurgeScope) -> int:
        return self._store.purge(plugin_id)


plugin = PluginData
