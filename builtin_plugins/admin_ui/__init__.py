"""The admin's desk: the pages at ``/admin``.

The pages are rendered here; whatever they show and do goes through the public HTTP API, with the
visitor's own cookie and permissions.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from builtin_plugins.admin_ui.desk import DESK, PERMISSIONS, DeskPage, page_named
from builtin_plugins.admin_ui.rendering import Renderer, static_file
from plugin_sdk import CAPABILITIES, Page, Plugin, Request, Response, route
from plugin_sdk.management import PluginManagement

__all__ = ["AdminDesk", "plugin"]


class AdminDesk(Plugin):
    def enable(self) -> None:
        self._plugins: PluginManagement = self.context.services.get("host.plugins")
        self._renderer = Renderer()

    def pages(self) -> list[Page]:
        return [Page("/admin", "Administration", "🛠", 0)]

    @route("GET", "/", access="open", identify=False, documented=False)
    def root(self, request: Request) -> Response:
        """What a person sees who opens the host's bare address"""
        return Response.redirect("/admin", 303)

    @route("GET", "/admin/setup", access="open", documented=False)
    def setup(self, request: Request) -> Response:
        """The first run: makes the first profile"""
        return self._renderer.page("setup", title="Set up")

    @route("GET", "/admin/sign-in", access="open", documented=False)
    def sign_in(self, request: Request) -> Response:
        return self._renderer.page("sign-in", title="Sign in")

    @route("GET", "/admin/static/{name}", access="open", identify=False, documented=False)
    def static(self, request: Request) -> Response:
        return static_file(request.params["name"])

    @route("GET", "/admin", access="open", trailing_slash=True, documented=False)
    def overview(self, request: Request) -> Response:
        """The overview, or the first page that the visitor may open"""
        held = self._held(request)
        first = next((page for page in DESK if held.intersection(page.permissions)), DESK[0])
        if first is DESK[0] or not self._known(request):
            return self._show(DESK[0], request)
        return Response.redirect(first.path, 303)

    @route("GET", "/admin/plugins/{id}", access="open", documented=False)
    def plugin_page(self, request: Request) -> Response:
        """One plugin; also of one that is gone and left data behind"""
        page = next(page for page in DESK if page.name == "plugin")
        return self._show(page, request, plugin_id=request.params["id"])

    @route("GET", "/admin/{page}", access="open", documented=False)
    def page(self, request: Request) -> Response:
        page = page_named(request.params["page"])
        return self._show(page, request)

    def _show(self, page: DeskPage | None, request: Request, **values: Any) -> Response:
        """Of no page at all the visitor is told, with the menu beside."""
        if not self._known(request):
            wanted = request.path if "token" in request.query else request.target
            return Response.redirect(f"/admin/sign-in?next={quote(wanted)}", 303)
        held = self._held(request)
        values = {
            "held": [name for name in PERMISSIONS if name in held],
            "visitor": request.principal.name,
            "pages": [each for each in DESK if each.listed and held.intersection(each.permissions)],
            "others": self._pages_of_plugins(),
            "capabilities": CAPABILITIES,
            "current": "",
            "title": "No such page",
            **values,
        }
        if page is None:
            return self._renderer.page("refused", 404, needed=(), **values)
        values |= {"current": "plugins" if page.name == "plugin" else page.name}
        values |= {"title": page.title}
        if not held.intersection(page.permissions):
            return self._renderer.page("refused", 403, needed=page.permissions, **values)
        return self._renderer.page(page.name, **values)

    @staticmethod
    def _known(request: Request) -> bool:
        """Whether somebody has signed in. The local administrator of a host without profiles has
        no token, and is led to the first run."""
        return request.principal.signed_in and request.token is not None

    def _held(self, request: Request) -> frozenset[str]:
        allowed = self.context.permissions.allowed
        return frozenset(name for name in PERMISSIONS if allowed(request.principal, name))

    def _pages_of_plugins(self) -> list[dict[str, Any]]:
        """Pages that other active plugins contribute, in their order."""
        found = [
            page
            for entry in self._plugins.entries()
            if entry.id != self.context.plugin_id
            for page in entry.as_json()["frontend"]["pages"]
        ]
        return sorted(found, key=lambda page: (page["order"], page["title"]))


plugin = AdminDesk
