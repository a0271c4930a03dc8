"""Commands for operators (open-group contract, 13.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.documents import dump
from builtin_plugins.rooms.files import Files
from builtin_plugins.rooms.names import parse_key
from builtin_plugins.rooms.server_key import ServerKey
from plugin_sdk import Argument, CommandIO, Conflict, Invalid, NotFound, Plugin, command

__all__ = ["Administration"]

_BY: Final = "cli"
_MAX_NAME: Final = 200
_DEFAULT_URL: Final = "http://127.0.0.1:8085"
_ID: Final = Argument("ID", "The id of an open group")
_KEY: Final = Argument("KEY", "A person: 05 and 64 hex digits")


class Administration(Plugin):
    core: Core
    files: Files
    server_key: ServerKey

    @command("add", _ID, Argument("--name", "What people see; the id unless given", required=False))
    def add_room(self, io: CommandIO, id: str, name: str | None) -> None:
        """Make an open group."""
        core = self.core
        core.groups.check_new(id)
        shown = id if name is None else name
        if not 1 <= len(shown) <= _MAX_NAME or any(c < " " or "\x7f" <= c <= "\x9f" for c in shown):
            raise Invalid(f"A name has 1 to {_MAX_NAME} characters without control characters.")
        with core.transaction():
            if core.db.table("rooms").get(id) is not None:
                raise Conflict(f"There is a room {id} already, which is no open group.")
            core.groups.check_numbers(id)
            doc = {"id": id, "name": shown, "createdAt": core.clock.ms(), "openGroup": True}
            core.db.table("rooms").insert({"id": id, "name": shown, "doc": dump(doc)})
            core.groups.create(id, shown)
            core.saved("room", id, doc)
            core.writing.tell("rooms.created", {"room": id})

    @command("remove", _ID, Argument("--yes", "Do not ask", flag=True))
    def remove_room(self, io: CommandIO, id: str, yes: bool) -> int:
        """Remove a room with everything in it."""
        if self.core.db.table("rooms").get(id) is None:
            raise NotFound(f"There is no room {id}.")
        question = f"Remove the room {id} with all its messages and files?"
        if not yes and io.interactive and not io.confirm(question):
            io.error("Nothing was removed.")
            return 1
        with self.core.transaction():
            self.core.remove_room(id)
        return 0

    @command("list")
    def list_rooms_command(self, io: CommandIO) -> None:
        """Print all rooms as one JSON array."""
        docs = self.core.db.values("SELECT doc FROM rooms ORDER BY name, id")
        io.print("[" + ",".join(docs) + "]")

    @command("add-moderator", _ID, _KEY)
    def add_moderator_command(self, io: CommandIO, id: str, key: str) -> None:
        """Make somebody a moderator."""
        person = parse_key(key, "KEY")
        with self.core.transaction():
            self._require(id)
            self.core.roles.add(id, person, _BY)

    @command("remove-moderator", _ID, _KEY)
    def remove_moderator_command(self, io: CommandIO, id: str, key: str) -> None:
        """Make somebody a plain member."""
        person = parse_key(key, "KEY")
        with self.core.transaction():
            self._require(id)
            self.core.roles.remove(id, person, _BY)

    @command("image", _ID, Argument("FILE", "An image; its bytes are taken as they are", "path"))
    def image_command(self, io: CommandIO, id: str, file: str) -> None:
        """Set the image of a room."""
        self._require(id)
        try:
            with Path(file).open("rb") as source:
                content = source.read(self.context.settings["maxFileBytes"] + 1)
        except OSError as error:
            raise Invalid(f"{file} cannot be read: {error.strerror}.") from None
        if not content:
            raise Invalid(f"{file} is empty.")
        self.files.check_size(content)
        self.files.set_image(id, content)

    @command("join-url", _ID)
    def join_url(self, io: CommandIO, id: str) -> None:
        """Print the address under which people join a room."""
        self._require(id)
        io.print(f"{self._base()}/{id}?public_key={self.server_key.public().hex()}")

    def _require(self, room_id: str) -> None:
        if not self.core.groups.exists(room_id):
            raise NotFound(f"There is no open group {room_id}.")

    def _base(self) -> str:
        public: str = self.context.settings["publicUrl"]
        if public:
            return public.rstrip("/")
        listeners = self.context.services.get("host.info").listeners()
        return str(listeners[0] if listeners else _DEFAULT_URL).rstrip("/")
