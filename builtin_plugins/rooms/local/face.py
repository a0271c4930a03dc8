"""Routes and commands of the read face (local REST contract, sections 5 and 7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.local.described import (
    ATTACHMENT,
    BAN,
    BANNED,
    MESSAGE,
    PAGE,
    REACTION,
    ROOM,
    SINCE,
    USER,
    array_of,
)
from builtin_plugins.rooms.local.exporting import export
from builtin_plugins.rooms.local.importing import run_import
from builtin_plugins.rooms.local.numbers import page_of, whole_number
from builtin_plugins.rooms.store import RoomsStore
from plugin_sdk import (
    Argument,
    CommandIO,
    Invalid,
    NotFound,
    Plugin,
    Problem,
    Request,
    Response,
    command,
    route,
)
from plugin_sdk.exposure import LanGuard

__all__ = ["LocalFace"]

_NO_STORE: Final = {"Cache-Control": "no-store"}
_TAGS: Final = ("rooms",)
_AT_ONCE: Final = 1000
"""Objects that are answered in one piece; longer lists are streamed in pieces of so many."""


class LocalFace(Plugin):
    """A base of the plugin's class: its decorated methods are found like those of the front
    file. Every route wants a token; nothing here writes."""

    core: Core
    store: RoomsStore
    _lan: LanGuard

    def enable_local(self) -> None:
        self._lan = LanGuard.of(
            self.context.services.get("host.settings"), "local_api", "exposeOnLan"
        )

    def guard_local(self, request: Request) -> None:
        """Asked for paths below /api/ before anything else. Raises Forbidden."""
        self._lan.check(request)

    # Rooms

    @route(
        "GET",
        "/api/rooms",
        returns=array_of(ROOM),
        operation_id="listRooms",
        access="token",
        tags=_TAGS,
    )
    def read_rooms(self, request: Request) -> Response:
        """All rooms, by name"""
        return _long_list(self.store.room_texts())

    @route(
        "GET", "/api/rooms/{roomId}", returns=ROOM, errors=(404,),
        operation_id="getRoom", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_room(self, request: Request) -> Response:
        """One room"""
        return _one(self.store.room_text(request.params["roomId"]), "room")

    @route(
        "GET", "/api/rooms/{roomId}/users", returns=array_of(USER),
        operation_id="listRoomUsers", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_room_users(self, request: Request) -> Response:
        """The members of a room, by display name

        Role and times of the membership are laid over the user.
        """
        return _long_list(self.store.member_texts(request.params["roomId"]))

    @route(
        "GET", "/api/rooms/{roomId}/messages", returns=array_of(MESSAGE), extra=PAGE,
        operation_id="listRoomMessages", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_room_messages(self, request: Request) -> Response:
        """A page of the messages of a room, oldest first

        What is no whole number falls back to the default; limits are clamped.
        """
        page = page_of(request.query)
        room_id = request.params["roomId"]
        return _list(self.store.message_texts(room_id, page.limit, page.offset, page.descending))

    @route(
        "GET", "/api/rooms/{roomId}/messages/since", returns=array_of(MESSAGE), extra=SINCE,
        errors=(400,), operation_id="listRoomMessagesSince", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_room_messages_since(self, request: Request) -> Response:
        """All messages of a room behind a moment, oldest first"""
        since = whole_number(request.query.all("sinceTimestamp"))
        if since is None:
            problem = Problem("sinceTimestamp", "must be a whole number (milliseconds)")
            raise Invalid(f"{problem.path} {problem.message}.", details=[problem])
        return _long_list(self.store.texts_since(request.params["roomId"], since))

    @route(
        "GET", "/api/rooms/{roomId}/bans", returns=array_of(BAN),
        operation_id="listRoomBans", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_room_bans(self, request: Request) -> Response:
        """The bans of a room that are active now"""
        return _long_list(self.store.ban_texts(request.params["roomId"]))

    @route(
        "GET", "/api/rooms/{roomId}/bans/{userId}", returns=BANNED,
        operation_id="isUserBanned", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_banned(self, request: Request) -> Response:
        """Whether a user is banned from a room now, by either name of the user"""
        banned = self.store.is_banned(request.params["roomId"], request.params["userId"])
        return Response({"isBanned": banned}, headers=_NO_STORE)

    # Messages, users, attachments

    @route(
        "GET", "/api/messages/{messageId}", returns=MESSAGE, errors=(404,),
        operation_id="getMessage", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_message(self, request: Request) -> Response:
        """One message, also a deleted one"""
        return _one(self.store.message_text(request.params["messageId"]), "message")

    @route(
        "GET", "/api/messages/{messageId}/reactions", returns=array_of(REACTION),
        operation_id="listMessageReactions", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_message_reactions(self, request: Request) -> Response:
        """The reactions to a message, oldest first"""
        return _list(self.store.reaction_texts(request.params["messageId"]))

    @route(
        "GET", "/api/messages/{messageId}/attachments", returns=array_of(ATTACHMENT),
        operation_id="listMessageAttachments", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_message_attachments(self, request: Request) -> Response:
        """What is attached to a message, without the bytes"""
        return _list(self.store.attachment_texts(request.params["messageId"]))

    @route(
        "GET", "/api/users/{userId}", returns=USER, errors=(404,),
        operation_id="getUser", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_user(self, request: Request) -> Response:
        """One user, by id or by oderId"""
        return _one(self.store.user_text(request.params["userId"]), "user")

    @route(
        "GET", "/api/attachments", returns=array_of(ATTACHMENT),
        operation_id="listAttachments", access="token", tags=_TAGS,
    )  # fmt: skip
    def read_attachments(self, request: Request) -> Response:
        """All attachments, in the order of their messages"""
        return _long_list(self.store.all_attachment_texts())

    # Commands

    @command(
        "import",
        Argument(
            "file", 'What "rooms export" wrote, or lines (.jsonl, .ndjson); - is standard input'
        ),
        Argument("--replace", "First remove what is stored of each kind in the file", flag=True),
    )
    def import_command(self, io: CommandIO, file: str, replace: bool) -> None:
        """Take in rooms, users, messages and more, all or nothing."""
        counts = run_import(
            self.core, self.context.services.find("plugin_data.store"), file, io.stdin, replace
        )
        io.print(counts)

    @command(
        "export",
        Argument("file", "Where to; standard output unless given", required=False),
    )
    def export_command(self, io: CommandIO, file: str | None) -> None:
        """Write everything that is stored as JSON."""
        export(self.core.db, self.context.services.find("plugin_data.store"), file, io.write)


def _one(text: str | None, what: str) -> Response:
    if text is None:
        raise NotFound(f"There is no such {what}.")
    return Response.json_text(text, headers=_NO_STORE)


def _list(texts: Sequence[str]) -> Response:
    return Response.json_text(f"[{','.join(texts)}]", headers=_NO_STORE)


def _long_list(texts: Iterator[str]) -> Response:
    """In pieces, if it is long."""
    first = list(islice(texts, _AT_ONCE))
    if len(first) < _AT_ONCE:
        _close(texts)
        return _list(first)
    return Response.stream(_pieces(first, texts), "application/json", headers=_NO_STORE)


def _pieces(first: list[str], texts: Iterator[str]) -> Iterable[bytes]:
    try:
        yield f"[{','.join(first)}".encode()
        while more := list(islice(texts, _AT_ONCE)):
            yield f",{','.join(more)}".encode()
        yield b"]"
    finally:
        _close(texts)


def _close(texts: Any) -> None:
    """Ends a read of the database that somebody has not read to its end."""
    close = getattr(texts, "close", None)
    if close is not None:
        close()
