"""Running plugins as an administrator: `/api/plugins` and everything below it, `/api/version`."""

from __future__ import annotations

from typing import Any

from builtin_plugins.plugin_admin.files import AssetServer
from builtin_plugins.plugin_admin.packages import MAX_PACKAGE_BYTES, plan_json, received
from builtin_plugins.plugin_admin.shapes import (
    AUDIT,
    AUDIT_QUERY,
    CHOICE,
    DEPRECATIONS,
    INSTALL_QUERY,
    MAX_AUDIT_PAGE,
    PERMISSIONS,
    PLUGIN,
    PLUGINS,
    PROVIDERS,
    PURGE,
    SOURCES,
    UNINSTALL_QUERY,
    VERSION,
    audit_json,
    deprecation_json,
    holdings_json,
    provider_json,
    sources_json,
)
from plugin_sdk import (
    MULTIPART,
    SDK_VERSION,
    Argument,
    CommandIO,
    Invalid,
    Plugin,
    Request,
    Response,
    command,
    route,
)
from plugin_sdk.management import (
    AuditTrail,
    HostInfo,
    PluginManagement,
    ProviderManagement,
    SettingsManagement,
)

__all__ = ["PluginAdmin", "plugin"]

_TAGS = ("Plugins",)


class PluginAdmin(Plugin):
    """The routes of sections 9 to 12 of the plugin contract."""

    def enable(self) -> None:
        services = self.context.services
        self.plugins: PluginManagement = services.get("host.plugins")
        self.providers_of_host: ProviderManagement = services.get("host.providers")
        self.settings: SettingsManagement = services.get("host.settings")
        self.info: HostInfo = services.get("host.info")
        self.audit: AuditTrail = services.get("host.audit")
        self.assets = AssetServer()
        self._apply_limits()
        self.context.settings.on_change(lambda _names: self._apply_limits())

    def _apply_limits(self) -> None:
        settings = self.context.settings
        self.plugins.configure(
            setup_timeout=settings["setupTimeoutSeconds"],
            drain=settings["drainSeconds"],
            quarantine_failures=settings["quarantineFailures"],
        )

    # Version

    @route("GET", "/api/version", access="open", returns=VERSION, tags=("Host",))
    def version(self, request: Request) -> Any:
        """The version of the host and of its SDK"""
        return {"version": self.info.version, "sdk": SDK_VERSION, **self.info.build()}

    # Plugins

    @route("GET", "/api/plugins", access="open", returns=PLUGINS, tags=_TAGS)
    def list_plugins(self, request: Request) -> Any:
        """Every plugin that was found, in whatever state, by id"""
        return [entry.as_json() for entry in self.plugins.entries()]

    @route("GET", "/api/plugins/{id}", access="open", returns=PLUGIN, errors=(404,), tags=_TAGS)
    def get_plugin(self, request: Request) -> Any:
        """One plugin"""
        return self.plugins.entry(request.params["id"]).as_json()

    @route(
        "POST",
        "/api/plugins/{id}/enable",
        permission="MANAGE_PLUGINS",
        returns=PLUGIN,
        errors=(401, 403, 404),
        tags=_TAGS,
    )
    def enable_plugin(self, request: Request) -> Any:
        """Switch a plugin on, at once; the state in the answer tells how it went"""
        return self.plugins.enable(request.params["id"]).as_json()

    @route(
        "POST",
        "/api/plugins/{id}/disable",
        permission="MANAGE_PLUGINS",
        returns=PLUGIN,
        errors=(401, 403, 404, 409),
        tags=_TAGS,
    )
    def disable_plugin(self, request: Request) -> Any:
        """Switch a plugin off, at once; its data stay"""
        return self.plugins.disable(request.params["id"]).as_json()

    @route(
        "POST",
        "/api/plugins/{id}/purge",
        permission="ADMIN",
        body=PURGE,
        body_required=False,
        status=204,
        errors=(400, 401, 403, 404, 409),
        tags=_TAGS,
    )
    def purge_plugin(self, request: Request) -> None:
        """Remove what a plugin keeps, also of one that is not installed any more"""
        scope = (request.body or {}).get("scope", "data")
        self.plugins.purge(request.params["id"], scope)

    @route(
        "POST",
        "/api/plugins",
        permission="ADMIN",
        consumes=MULTIPART,
        query=INSTALL_QUERY,
        max_body=MAX_PACKAGE_BYTES,
        status=201,
        errors=(400, 401, 403, 409, 413),
        tags=_TAGS,
    )
    def install_plugin(self, request: Request) -> Response:
        """Install a plugin from a ZIP or wheel, or upgrade it live

        The form has one file part named file. With preview=true the answer says what the plugin
        declares, and nothing is installed. An update that declares more than the installed
        version needs accept=true. A new plugin stays off until it is enabled."""
        assert request.form is not None
        with self.context.paths.temporary() as folder:
            package = received(request.form, folder)
            if request.query["preview"]:
                return Response(plan_json(self.plugins.inspect(package)))
            entry = self.plugins.install(package, accept_additions=request.query["accept"])
        return Response.created(entry.as_json(), f"/api/plugins/{entry.id}")

    @route(
        "DELETE",
        "/api/plugins/{id}",
        permission="ADMIN",
        query=UNINSTALL_QUERY,
        status=204,
        errors=(401, 403, 404, 409),
        tags=_TAGS,
    )
    def uninstall_plugin(self, request: Request) -> Response:
        """Remove an installed plugin; its data stay unless purge=true

        With preview=true the answer says with status 200 what there is of it, in rows and bytes,
        and nothing is removed; also of one that is not installed any more."""
        plugin_id = request.params["id"]
        if request.query["preview"]:
            return Response(holdings_json(self.plugins.holdings(plugin_id)))
        self.plugins.uninstall(plugin_id, purge=request.query["purge"])
        return Response.empty()

    @route(
        "GET",
        "/api/admin/deprecations",
        permission="ADMIN",
        returns=DEPRECATIONS,
        errors=(401, 403),
        tags=_TAGS,
    )
    def list_deprecations(self, request: Request) -> Any:
        """Deprecated calls that plugins made, and in which version of the SDK they are gone"""
        clock = self.context.clock
        return [deprecation_json(each, clock) for each in self.plugins.deprecations()]

    # Audit

    @route(
        "GET",
        "/api/admin/audit",
        permission="ADMIN",
        query=AUDIT_QUERY,
        returns=AUDIT,
        errors=(401, 403),
        tags=("Audit",),
    )
    def list_audit(self, request: Request) -> Any:
        """Who changed what by permission, newest first; before is the id to go on from"""
        entries = self.audit.entries(
            before=request.query.get("before"), limit=request.query["limit"]
        )
        return [audit_json(entry, self.context.clock) for entry in entries]

    @command(
        "audit",
        Argument("--limit", "How many entries", type="integer", required=False, default=50),
        group="",
    )
    def print_audit(self, io: CommandIO, limit: int) -> None:
        """Print who changed what by permission, newest first."""
        if not 1 <= limit <= MAX_AUDIT_PAGE:
            raise Invalid(f"--limit is 1 to {MAX_AUDIT_PAGE}.")
        for entry in self.audit.entries(limit=limit):
            who = entry.principal_name or entry.principal_id or "nobody"
            where = f" from {entry.peer}" if entry.peer else ""
            io.print(f"{self.context.clock.iso(entry.at)}  {who}{where}: {entry.action}")

    # Files and settings

    @route("GET", "/api/plugins/{id}/file/{path:path}", access="open", errors=(404,), tags=_TAGS)
    def get_file(self, request: Request) -> Response:
        """A static file of an active plugin"""
        entry = self.plugins.entry(request.params["id"])
        raw_version = request.query.all("v")
        return self.assets.file(
            entry, request.params["path"], raw_version[0] if raw_version else None
        )

    @route("GET", "/api/plugins/{id}/settings", access="open", errors=(404,), tags=_TAGS)
    def get_settings_page(self, request: Request) -> Response:
        """The settings page that a plugin brings, sandboxed"""
        return self.assets.settings_page(self.plugins.entry(request.params["id"]))

    @route(
        "GET",
        "/api/plugins/{id}/config",
        returns={"type": "object"},
        errors=(401, 404),
        tags=_TAGS,
    )
    def get_config(self, request: Request) -> Any:
        """The settings of a plugin in force, secrets masked"""
        return self.settings.shown(request.params["id"])

    @route(
        "GET",
        "/api/plugins/{id}/config/sources",
        returns=SOURCES,
        errors=(401, 404),
        tags=_TAGS,
    )
    def get_config_sources(self, request: Request) -> Any:
        """Where each setting of a plugin comes from; what a file decides cannot be changed here"""
        plugin_id = request.params["id"]
        return sources_json(plugin_id, self.settings.sources(plugin_id))

    @route(
        "PUT",
        "/api/plugins/{id}/config",
        permission="MANAGE_SETTINGS",
        body={"type": "object"},
        returns={"type": "object"},
        errors=(400, 401, 403, 404, 409),
        tags=_TAGS,
    )
    def put_config(self, request: Request) -> Any:
        """Replace the stored settings of a plugin; absent ones go back to their default"""
        self._refuse_duplicates(request)
        return self.settings.replace(request.params["id"], request.body)

    @staticmethod
    def _refuse_duplicates(request: Request) -> None:
        """In settings a key that occurs twice is refused (section 1.1.4)."""
        request.json(unique_keys=True)

    # Providers and permissions

    @route("GET", "/api/plugins/providers", access="open", returns=PROVIDERS, tags=("Providers",))
    def list_providers(self, request: Request) -> Any:
        """The providers of active plugins by type"""
        return {
            type: [provider_json(each) for each in entries]
            for type, entries in self.providers_of_host.entries().items()
        }

    @route(
        "PUT",
        "/api/plugins/providers/{type}/active",
        permission="MANAGE_SETTINGS",
        body=CHOICE,
        errors=(400, 401, 403, 404),
        tags=("Providers",),
    )
    def choose_provider(self, request: Request) -> Any:
        """Choose the active provider of a type"""
        type = request.params["type"]
        entries = self.providers_of_host.choose(type, request.body["name"])
        return {
            "type": type,
            "active": next((each.name for each in entries if each.active), None),
            "providers": [provider_json(each) for each in entries],
        }

    @route(
        "GET",
        "/api/plugins/permissions/available",
        access="open",
        returns=PERMISSIONS,
        tags=("Permissions",),
    )
    def list_permissions(self, request: Request) -> Any:
        """The permissions of the host in order, then those of active plugins by name"""
        return [
            {"name": each.name, "description": each.description, "pluginId": each.plugin_id}
            for each in self.plugins.permissions()
        ]


plugin = PluginAdmin
