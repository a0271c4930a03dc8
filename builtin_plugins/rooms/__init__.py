"""Rooms: one store with two faces, the open-group API for the public and a local API to read.

The routes of the public face are in `open_face`, those of the local one in `local.face`, the
commands in `administration`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from builtin_plugins.rooms.access import Access
from builtin_plugins.rooms.activity import Activity
from builtin_plugins.rooms.administration import Administration
from builtin_plugins.rooms.answers import error_object
from builtin_plugins.rooms.calls import Calls
from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.files import Files
from builtin_plugins.rooms.hookspecs import RoomsHooks
from builtin_plugins.rooms.local.face import LocalFace
from builtin_plugins.rooms.logins import Logins
from builtin_plugins.rooms.moderation import Moderation
from builtin_plugins.rooms.open_face import UPLOADS, OpenFace
from builtin_plugins.rooms.polling import Pages, Polling
from builtin_plugins.rooms.posting import Posting
from builtin_plugins.rooms.server_key import ServerKey
from builtin_plugins.rooms.store import RoomsStore
from builtin_plugins.rooms.tables import create_tables
from plugin_sdk import (
    Database,
    Event,
    JobRun,
    Request,
    Route,
    StageboxError,
    WebSocketRoute,
    event_handler,
    job,
    migration,
)

__all__ = ["Rooms", "plugin"]


class Rooms(OpenFace, Administration, LocalFace):
    hookspecs = (RoomsHooks,)
    guarded = ("/api/rooms", "/api/messages", "/api/users", "/api/attachments")
    activity: Activity

    @migration("001-rooms")
    def _create_tables(self, db: Database) -> None:
        create_tables(db)

    def enable(self) -> None:
        context = self.context
        core = self.core = Core(context)
        self.activity = Activity(context.db, context.log)
        access = self.access = Access(core, self.activity)
        self.logins = Logins(core, access)
        self.lists = Pages(core)
        self.polling = Polling(core, access, self.lists, self.activity, context.log)
        self.posting = Posting(core, access)
        self.moderation = Moderation(core, access)
        self.files = Files(core, access, lambda: context.blobs)
        self.server_key = ServerKey(context.paths.data)
        self.store = RoomsStore(core)
        open_routes = [
            route
            for route in self.routes()
            if isinstance(route, Route) and not route.path.startswith("/api/")
        ]
        context.services.offer("rooms.store", self.store)
        context.services.offer("rooms.server_key", self.server_key)
        context.services.offer("rooms.call", Calls(open_routes, self.error_body, context.log))
        self.enable_local()

    def disable(self) -> None:
        self.activity.close()

    def guard(self, request: Request) -> None:
        self.guard_local(request)

    def error_body(self, error: StageboxError, request: Request) -> Any:
        return error_object(error, request)

    def routes(self) -> Sequence[Route | WebSocketRoute]:
        return [
            replace(declared, max_body=self._upload_bytes)
            if isinstance(declared, Route)
            and declared.method == "POST"
            and declared.path in UPLOADS
            else declared
            for declared in super().routes()
        ]

    @event_handler("host.started")
    def _seed(self, event: Event) -> None:
        """Asks other plugins for rooms of theirs, once they are all there."""
        self.context.hooks.call("rooms_seed", store=self.store)

    def _upload_bytes(self) -> int:
        """An upload may have half as many bytes again as the file that it holds (2.2.8)."""
        most: int = self.context.settings["maxFileBytes"]
        return most * 3 // 2

    @job("prune-tokens", every=600.0, at_start=True)
    def prune_tokens(self, run: JobRun) -> int:
        """Removes tokens whose time is over"""
        return self.logins.prune(lambda: not run.cancelled)

    @job("prune-files", every=3600.0, at_start=True)
    def prune_files(self, run: JobRun) -> int:
        """Removes files whose time is over"""
        return self.files.prune(lambda: not run.cancelled)


plugin = Rooms
