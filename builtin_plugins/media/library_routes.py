"""Libraries over HTTP (media contract, 5.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from builtin_plugins.media.answers import success
from builtin_plugins.media.fields import Fields, one_parameter, problem, read_body
from builtin_plugins.media.frames import Frames
from builtin_plugins.media.libraries import TYPES, Libraries
from builtin_plugins.media.scan_paths import checked_path
from plugin_sdk import Database, Events, Request, Response

__all__ = ["LibraryRoutes"]

_DELETED = "Library deleted successfully"
_CHANGED = "Library updated successfully"
_LONGEST_ID = 5000  # any text may be asked for, and is not found


class LibraryRoutes:
    def __init__(
        self, database: Database, libraries: Libraries, frames: Frames, events: Events
    ) -> None:
        self._db = database
        self._libraries = libraries
        self._frames = frames
        self._events = events

    def list(self, request: Request) -> Response:
        flag = one_parameter(request, "isLibrary")
        kind = one_parameter(request, "libraryType")
        if kind is not None and kind not in TYPES:
            raise problem("libraryType", f"libraryType must be one of {', '.join(TYPES)}")
        is_library = None if flag is None else flag == "true"
        return success(self._libraries.all(is_library=is_library, kind=kind))

    def create(self, request: Request) -> Response:
        fields = read_body(request)
        name = fields.required_text("name", 1, 255)
        values = self._values(fields)
        is_library = fields.boolean("isLibrary")
        values["is_library"] = True if is_library is None else is_library
        with self._db.transaction():
            library_id = self._libraries.create({**values, "name": name})
            self._emit(library_id, "created")
        self._frames.library("created", library_id, name)
        shown = self._libraries.one(library_id)
        return success(shown, "Library created successfully", 201)

    def change(self, request: Request, library_id: str | None = None) -> Response:
        fields = read_body(request)
        if library_id is None:
            library_id = fields.required_text("id", 1, _LONGEST_ID)
        values = self._values(fields)
        if "name" in fields:
            values["name"] = fields.required_text("name", 1, 255)
        with self._db.transaction():
            changed = self._libraries.change(library_id, values)
            if changed:
                self._emit(library_id, "updated")
        row = self._libraries.get(library_id)
        if changed:
            self._frames.library("updated", library_id, row["name"])
        data = {"library": self._libraries.shown(row), "message": _CHANGED}
        return success(data, _CHANGED)

    def delete(self, request: Request, library_id: str | None = None) -> Response:
        if library_id is None:
            library_id = read_body(request).required_text("id", 1, _LONGEST_ID)
        with self._db.transaction():
            name, removed = self._libraries.delete(library_id)
            self._emit(library_id, "deleted")
        self._frames.library("deleted", library_id, name)
        data = {
            "libraryId": library_id,
            "libraryName": name,
            "mediaDeleted": removed,
            "message": _DELETED,
        }
        return success(data, _DELETED)

    def _emit(self, library_id: str, what: str) -> None:
        """Inside the transaction of the change."""
        self._events.emit("media.library_changed", {"id": library_id, "change": what})

    def _values(self, fields: Fields) -> dict[str, Any]:
        """The columns of what was sent; "" and null clear."""
        values: dict[str, Any] = {}
        readers: dict[str, tuple[str, Callable[[], str | None]]] = {
            "description": ("description", lambda: fields.text("description", 0, 1000)),
            "posterUrl": ("poster_url", lambda: fields.url("posterUrl")),
            "backdropUrl": ("backdrop_url", lambda: fields.url("backdropUrl")),
        }
        for name, (column, read) in readers.items():
            if name in fields:
                values[column] = read() or None
        if "libraryPath" in fields:
            values["library_path"] = checked_path(fields, "libraryPath")
        if "libraryType" in fields:
            values["library_type"] = fields.one_of("libraryType", TYPES)
        return values
