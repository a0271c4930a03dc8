"""A soundboard: short sounds, one tap away, with the favourites of each room."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from plugin_sdk import (
    MULTIPART,
    Conflict,
    Context,
    DataScope,
    Event,
    Form,
    Invalid,
    JobInfo,
    JobRun,
    NotFound,
    Page,
    Plugin,
    Request,
    Response,
    event_handler,
    job,
    route,
)

from . import links
from .library import UPLOAD_LIMIT, Library
from .page import BoardPage
from .schemas import BAD_LABEL, CHECK, FAVORITE, MAX_LABEL, SERVER, SOUND

EDIT: Final = "example.soundboard:edit"


class Soundboard(Plugin):
    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.base = f"/api/plugins/{context.plugin_id}"
        self.library = Library(context)

    def enable(self) -> None:
        self.page = BoardPage(self.base)

    def pages(self) -> Sequence[Page]:
        return [Page("/board", "Soundboard", "🔊")]

    @route("GET", "/board", access="open", documented=False)
    def board(self, request: Request) -> Response:
        """The soundboard, for people."""
        settings = self.context.settings
        html = self.page.render(
            title=settings["title"],
            volume=settings["volume"],
            max_bytes=settings["maxUploadBytes"],
            can_edit=self.context.permissions.allowed(request.principal, EDIT),
        )
        return Response.html(html).with_headers(Cache_Control="no-store")

    # Sounds

    @route("GET", "/sounds", access="open", returns={"type": "array", "items": SOUND})
    def sounds(self, request: Request) -> list[dict[str, Any]]:
        """All sounds: the built-in ones, then what people uploaded."""
        return [self._with_url(sound) for sound in self.library.sounds()]

    @route("GET", "/sounds/{name}", access="open", errors=(404,))
    def sound(self, request: Request) -> Response:
        """The audio of a sound, with byte ranges."""
        return Response.file(self.library.open(request.params["name"]))

    @route(
        "POST",
        "/uploads",
        permission=EDIT,
        consumes=MULTIPART,
        max_body=UPLOAD_LIMIT + 64 * 1024,  # the form around the file
        returns=SOUND,
        status=201,
        errors=(409, 413, 415),
    )
    def upload(self, request: Request) -> Response:
        """Adds a sound: a form with ``file`` (WAV, OGG or MP3) and ``label``."""
        form = request.form or Form()
        label = form.fields.get("label", "").strip()
        if len(label) > MAX_LABEL or re.search(BAD_LABEL, label):
            raise Invalid(f"A label has 1 to {MAX_LABEL} characters, no slash and no line break.")
        sound = self._with_url(self.library.add(form.file("file"), label))
        return Response.created(sound, location=sound["url"])

    @route("DELETE", "/uploads/{name}", permission=EDIT, status=204, errors=(404,))
    def remove_upload(self, request: Request) -> None:
        """Removes an uploaded sound for everybody."""
        self.library.remove(request.params["name"])

    # Favourites

    @route("GET", "/favorites", query=SERVER, returns={"type": "array", "items": FAVORITE})
    def favorites(self, request: Request) -> list[dict[str, str]]:
        """The favourite sounds of a server."""
        found: list[dict[str, str]] = self._server(request).get("favorites", [])
        return found

    @route(
        "POST",
        "/favorites",
        query=SERVER,
        body=FAVORITE,
        permission=EDIT,
        returns=FAVORITE,
        status=201,
        errors=(409,),
    )
    def add_favorite(self, request: Request) -> Response:
        """Adds a favourite; neither its label nor its address may be there already."""
        data, new = self._server(request), request.body
        with data.transaction():
            favorites = data.get("favorites", [])
            if any(old["label"] == new["label"] or old["url"] == new["url"] for old in favorites):
                raise Conflict("This favourite is there already.", code="FAVORITE_EXISTS")
            if len(favorites) >= self.context.settings["maxSounds"]:
                raise Conflict("The board is full: remove a favourite first.", code="BOARD_FULL")
            data.set("favorites", [*favorites, new])
            added = {"serverId": request.query["serverId"], **new}
            self.context.events.emit("example.soundboard.added", added)
        return Response.created(new)

    @route("DELETE", "/favorites/{label}", query=SERVER, permission=EDIT, status=204, errors=(404,))
    def remove_favorite(self, request: Request) -> None:
        """Removes the favourite with this label."""
        data = self._server(request)
        with data.transaction():
            favorites = data.get("favorites", [])
            kept = [each for each in favorites if each["label"] != request.params["label"]]
            if len(kept) == len(favorites):
                raise NotFound("There is no favourite with this label.")
            data.set("favorites", kept)

    @event_handler("rooms.deleted")
    def forget(self, event: Event) -> None:
        """A room's favourites go with the room."""
        self.context.data.scope("server", event.data["room"]).clear()

    # Checks

    @job("check-links")
    def check_links(self, run: JobRun) -> dict[str, Any]:
        """Finds favourites whose address leads nowhere."""
        data = self.context.data.scope("server", run.args["serverId"])
        favorites = data.get("favorites", [])
        return links.check(favorites, self.base, self.library, self.context.http, run)

    @route("POST", "/checks", query=SERVER, permission=EDIT, returns=CHECK, status=202)
    def start_check(self, request: Request) -> Response:
        """Starts to check the favourites of a server, unless that is going on already."""
        server = request.query["serverId"]
        started = self.context.jobs.start("check-links", {"serverId": server}, key=server)
        return Response(_check_json(started), 202, {"Location": f"{self.base}/checks/{started.id}"})

    @route("GET", "/checks/{id}", returns=CHECK, errors=(404,))
    def check_state(self, request: Request) -> dict[str, Any]:
        """How a check stands."""
        return _check_json(self.context.jobs.get(request.params["id"]))

    @route("DELETE", "/checks/{id}", permission=EDIT, status=204, errors=(404,))
    def cancel_check(self, request: Request) -> None:
        """Cancels a check."""
        self.context.jobs.cancel(request.params["id"])

    def _server(self, request: Request) -> DataScope:
        return self.context.data.scope("server", request.query["serverId"])

    def _with_url(self, sound: dict[str, Any]) -> dict[str, Any]:
        return {**sound, "url": f"{self.base}/sounds/{sound['name']}"}


def _check_json(info: JobInfo) -> dict[str, Any]:
    return {name: getattr(info, name) for name in CHECK["properties"]}


plugin = Soundboard
