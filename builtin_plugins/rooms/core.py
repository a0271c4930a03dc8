"""What both faces write with. Everything that writes is called inside of `Core.transaction`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from builtin_plugins.rooms.bans import Bans
from builtin_plugins.rooms.deletions import Deletions
from builtin_plugins.rooms.groups import OpenGroups
from builtin_plugins.rooms.people import People
from builtin_plugins.rooms.removal import remove_room
from builtin_plugins.rooms.roles import Roles
from builtin_plugins.rooms.writing import PATIENCE, Writing
from plugin_sdk import Context

__all__ = ["Core"]


class Core:
    """One for each host. ``by`` is a key, ``cli`` or the id of a plugin, wherever it is asked."""

    def __init__(self, context: Context) -> None:
        self.db = context.db
        self.clock = context.clock
        self.settings = context.settings
        self.writing = Writing(context)
        self.groups = OpenGroups(self.db)
        self.people = People(self.db, self.writing)
        self.roles = Roles(self.db, self.groups, self.people, self.writing)
        self.bans = Bans(self.db, self.groups, self.writing, self.clock)
        self.deletions = Deletions(self.db, self.groups, self.writing)

    def transaction(self, patience: float = PATIENCE) -> AbstractContextManager[None]:
        """All or nothing; hooks are called after the outermost one. See `Writing.transaction`."""
        return self.writing.transaction(patience)

    def saved(self, kind: str, id: str, doc: Any) -> None:
        """Event ``rooms.saved`` and, after the commit, hook ``rooms_saved``."""
        self.writing.saved(kind, id, doc)

    def removed(self, kind: str, id: str) -> None:
        """Event ``rooms.removed`` and, after the commit, hook ``rooms_removed``."""
        self.writing.removed(kind, id)

    def remove_room(self, room_id: str) -> bool:
        """False when there is no such room."""
        return remove_room(self.db, self.groups, self.writing, room_id)

    def moderates(self, room_id: str, user_id: str) -> bool:
        """Whether this is an open group, and the user a moderator of it."""
        return self.groups.exists(room_id) and self.roles.is_moderator(room_id, user_id)

    def roles_changed(self, room_id: str) -> None:
        """In every transaction that changes ``members.role``."""
        self.groups.roles_changed(room_id)

    def counts_changed(self, room_id: str) -> None:
        """In every transaction that changes bans."""
        self.groups.counts_changed(room_id)
