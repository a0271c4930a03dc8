"""The routes of the open-group face (open-group contract, 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from builtin_plugins.rooms.access import (
    Access,
    Caller,
    room_token,
    unauthenticated,
    unknown_room,
)
from builtin_plugins.rooms.answers import (
    DONE,
    base64_answer,
    listed,
    listed_by_and_by,
    succeeded,
    with_text,
)
from builtin_plugins.rooms.bodies import header, last_integer, read_object
from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.files import Files
from builtin_plugins.rooms.logins import Logins
from builtin_plugins.rooms.moderation import Moderation
from builtin_plugins.rooms.names import (
    Key,
    decode_base64,
    is_room_id,
    json_integer,
    parse_key,
    path_integer,
)
from builtin_plugins.rooms.polling import MAX_PAGE, Pages, Polling, read_entries
from builtin_plugins.rooms.posting import Posting
from builtin_plugins.rooms.sealing import Seal
from builtin_plugins.rooms.shapes import described
from plugin_sdk import Invalid, Plugin, Request, Response, route

__all__ = ["UPLOADS", "OpenFace"]

UPLOADS: Final = frozenset({"/files", "/rooms/{room_id}/image"})
"""Paths whose POST may carry a file."""


_Handler = Callable[["OpenFace", Request], Response]
_ForCaller = Callable[["OpenFace", Request, Caller], Response]
_SHOWN: Final = ("__name__", "__qualname__", "__doc__")  # its own signature stays


def _for_member(handler: _ForCaller) -> _Handler:
    """A route of the room that the header Room names; success counts as activity (12.3)."""

    def handle(self: OpenFace, request: Request) -> Response:
        caller = self.access.member(request)
        answer = handler(self, request, caller)
        self.access.seen(caller)
        return answer

    return _shown_as(handler, handle)


def _for_moderator(handler: _ForCaller) -> _Handler:
    """As `_for_member`, for those who moderate the room."""

    def handle(self: OpenFace, request: Request) -> Response:
        caller = self.access.moderator(request)
        answer = handler(self, request, caller)
        self.access.seen(caller)
        return answer

    return _shown_as(handler, handle)


def _shown_as(handler: _ForCaller, handle: _Handler) -> _Handler:
    for name in _SHOWN:
        setattr(handle, name, getattr(handler, name))
    return handle


class OpenFace(Plugin):
    core: Core
    access: Access
    logins: Logins
    lists: Pages
    polling: Polling
    posting: Posting
    moderation: Moderation
    files: Files

    # Rooms

    @route("GET", "/rooms", **described("rooms"))
    def list_rooms(self, request: Request) -> Response:
        """All open groups, by id."""
        rooms = self.core.db.query("SELECT id, name FROM open_groups ORDER BY id")
        return succeeded(rooms=rooms)

    @route("GET", "/rooms/{room_id}", **described("room"))
    def show_room(self, request: Request) -> Response:
        """Name of a room."""
        room_id = request.params["room_id"]
        name = self.core.groups.name(room_id) if is_room_id(room_id) else None
        if name is None:
            raise unknown_room()
        return succeeded(room={"id": room_id, "name": name})

    @route("GET", "/rooms/{room_id}/image", **described("image"))
    def show_image(self, request: Request) -> Response:
        """The image of a room, as base64."""
        return base64_answer(self.files.image(self._path_room(request)))

    @route("POST", "/rooms/{room_id}/image", **described("set_image"))
    def set_image(self, request: Request) -> Response:
        """Replace the image of a room; for its moderators."""
        room_id = self._path_room(request)
        named = header(request, "room")
        if named is not None and named != room_id:
            raise Invalid("The header Room names another room than the path.")
        caller = self.access.moderator(request, room_id)
        content = self._file(request)
        self.files.set_image(room_id, content, lambda: self.access.confirm(caller, moderator=True))
        self.access.seen(caller)
        return succeeded(room_id=room_id)

    # Logging in

    @route("GET", "/auth_token_challenge", **described("challenge"))
    def challenge(self, request: Request) -> Response:
        """A token for a room, encrypted for the key that asks."""
        room_id = self.access.room(request)
        texts = request.query.all("public_key")
        key = parse_key(texts[-1] if texts else None)
        seal = Seal(key)  # a key of low order is refused before anything is kept
        sealed = seal.close(self.logins.challenge(room_id, key))
        return succeeded(
            challenge={
                "ciphertext": sealed.ciphertext,
                "ephemeral_public_key": sealed.ephemeral_public_key,
            }
        )

    @route("POST", "/claim_auth_token", **described("claim"))
    def claim(self, request: Request) -> Response:
        """Make the token of a challenge valid."""
        room_id = self.access.room(request)
        token = room_token(request)
        if not token:
            raise unauthenticated()
        self.logins.claim(room_id, _key_of(read_object(request)), token)
        return DONE

    @route("DELETE", "/auth_token", **described("logout"))
    @_for_member
    def end_token(self, request: Request, caller: Caller) -> Response:
        """End the token that is sent along."""
        self.logins.end(caller)
        return DONE

    # Messages

    @route("POST", "/compact_poll", **described("poll"))
    def compact_poll(self, request: Request) -> Response:
        """What is new in many rooms, in one call."""
        entries = read_entries(read_object(request))
        return listed_by_and_by("results", self.polling.answers(entries))

    @route("POST", "/messages", **described("post_message"))
    @_for_member
    def post_message(self, request: Request, caller: Caller) -> Response:
        """Post a message."""
        draft = self.posting.draft(caller, read_object(request))
        return with_text("message", self.posting.post(caller, draft))

    @route("GET", "/messages", **described("messages"))
    @_for_member
    def list_messages(self, request: Request, caller: Caller) -> Response:
        """Messages behind a server id, ascending, or the newest, descending."""
        return listed("messages", self.lists.messages(caller.room, *_page(request)))

    @route("DELETE", "/messages/{message_id}", **described("delete_message"))
    @_for_member
    def delete_message(self, request: Request, caller: Caller) -> Response:
        """Delete a message; for its author and for moderators."""
        number = path_integer(request.params["message_id"], "The id of a message")
        self.moderation.delete(caller, [number])
        return DONE

    @route("POST", "/delete_messages", **described("delete_messages"))
    @_for_member
    def delete_messages(self, request: Request, caller: Caller) -> Response:
        """Delete several messages: all of them or none."""
        ids = read_object(request).get("ids")
        if not isinstance(ids, list):
            raise Invalid("ids must be an array of integers.")
        self.moderation.delete(caller, [json_integer(each, "Each of ids") for each in ids])
        return DONE

    @route("GET", "/deleted_messages", **described("deletions"))
    @_for_member
    def list_deletions(self, request: Request, caller: Caller) -> Response:
        """Which messages were deleted."""
        return listed("ids", self.lists.deletions(caller.room, *_page(request)))

    # Moderation

    @route("GET", "/moderators", **described("moderators"))
    @_for_member
    def list_moderators(self, request: Request, caller: Caller) -> Response:
        """The moderators of the room."""
        known = self.core.roles.moderators(caller.room, caller.roles_version)
        return listed("moderators", known.text[1:-1])

    @route("POST", "/moderators", **described("add_moderator"))
    def add_moderator(self, request: Request) -> Response:
        """Make somebody a moderator; for moderators."""
        if header(request, "room"):
            caller = self.access.moderator(request)
            body = read_object(request)
            key = _key_of(body)
            if _body_room(body) not in (None, caller.room):
                raise Invalid("room_id is another room than that of the header Room.")
        else:
            body = read_object(request)
            room_id = _body_room(body)
            if not room_id:
                raise Invalid("The header Room, or room_id, must name a room.")
            key = _key_of(body)
            caller = self.access.moderator(request, room_id)
        self.moderation.appoint(caller, key)
        self.access.seen(caller)
        return DONE

    @route("DELETE", "/moderators/{public_key}", **described("remove_moderator"))
    @_for_moderator
    def remove_moderator(self, request: Request, caller: Caller) -> Response:
        """Make somebody a plain member; for moderators."""
        self.moderation.dismiss(caller, parse_key(request.params["public_key"]))
        return DONE

    @route("GET", "/block_list", **described("bans"))
    @_for_member
    def list_bans(self, request: Request, caller: Caller) -> Response:
        """Who is banned from the room."""
        return succeeded(banned_members=self.core.bans.active(caller.room, self.context.clock.ms()))

    @route("POST", "/block_list", **described("ban"))
    @_for_moderator
    def ban(self, request: Request, caller: Caller) -> Response:
        """Ban somebody from the room; for moderators."""
        self.moderation.ban(caller, _key_of(read_object(request)))
        return DONE

    @route("POST", "/ban_and_delete_all", **described("ban_and_delete_all"))
    @_for_moderator
    def ban_and_delete_all(self, request: Request, caller: Caller) -> Response:
        """Ban somebody and delete their messages and files in the room; for moderators."""
        self.moderation.ban(caller, _key_of(read_object(request)), delete_all=True)
        return DONE

    @route("DELETE", "/block_list/{public_key}", **described("unban"))
    @_for_moderator
    def unban(self, request: Request, caller: Caller) -> Response:
        """Lift a ban; for moderators."""
        self.moderation.unban(caller, parse_key(request.params["public_key"]))
        return DONE

    @route("GET", "/member_count", **described("member_count"))
    @_for_member
    def member_count(self, request: Request, caller: Caller) -> Response:
        """How many people are logged in to the room."""
        return succeeded(member_count=self.moderation.member_count(caller))

    # Files

    @route("POST", "/files", **described("add_file"))
    @_for_member
    def add_file(self, request: Request, caller: Caller) -> Response:
        """Store a file for the members of the room; the answer is its id."""
        return succeeded(result=self.files.add(caller, self._file(request)))

    @route("GET", "/files/{file_id}", **described("file"))
    @_for_member
    def show_file(self, request: Request, caller: Caller) -> Response:
        """A file, as base64."""
        file_id = path_integer(request.params["file_id"], "The id of a file")
        return base64_answer(self.files.read(caller.room, file_id))

    # Inside

    def _path_room(self, request: Request) -> str:
        room_id = request.params["room_id"]
        if not self.core.groups.exists(room_id):
            raise unknown_room()
        return room_id

    def _file(self, request: Request) -> bytes:
        """The bytes of ``{"file": base64}``. Raises Invalid, TooLarge."""
        content = decode_base64(read_object(request).get("file"), "file")
        self.files.check_size(content)
        return content


def _page(request: Request) -> tuple[int | None, int]:
    """Cursor and limit of the query. Raises Invalid."""
    cursor = last_integer(request, "from_server_id")
    limit = last_integer(request, "limit")
    return cursor, MAX_PAGE if limit is None else min(max(limit, 1), MAX_PAGE)


def _key_of(body: dict[str, Any]) -> Key:
    return parse_key(body.get("public_key"))


def _body_room(body: dict[str, Any]) -> str | None:
    room_id = body.get("room_id")
    if room_id is not None and not isinstance(room_id, str):
        raise Invalid("room_id must be a text.")
    return room_id
