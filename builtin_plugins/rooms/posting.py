"""Posting messages, and the limit of them (open-group contract, 6)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Final

from builtin_plugins.rooms.access import Access, Caller
from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.names import MAX_SERVER_ID, decode_base64, json_integer
from builtin_plugins.rooms.signatures import SIGNATURE_BYTES, verify
from builtin_plugins.rooms.spans import SECOND_MS, span_ms
from plugin_sdk import (
    DatabaseUnavailable,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Row,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

__all__ = ["Draft", "Posting"]

_TOGETHER: Final = 64
"""Posts that are committed at once, at most."""
_MOST_SKIPPED: Final = 2**63 - 1
"""Rows that a database can pass over."""
_DRAW: Final = f"""
    UPDATE open_groups SET last_server_id = last_server_id + 1, last_timestamp =
        CASE WHEN last_timestamp >= :now THEN last_timestamp + 1 ELSE :now END
    WHERE id = :room AND counts_version = :version AND last_server_id < {MAX_SERVER_ID}
    RETURNING last_server_id, last_timestamp
"""  # noqa: S608  # a constant
_INSERT: Final = """
    INSERT INTO messages (id, room_id, sender_id, timestamp, server_id, data, signature)
    VALUES (:id, :room, :sender, :timestamp, :server_id, :data, :signature)
"""
_NTH_NEWEST: Final = """
    SELECT timestamp FROM messages WHERE room_id = :room AND sender_id = :key
    AND server_id IS NOT NULL ORDER BY timestamp DESC LIMIT 1 OFFSET :skipped
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that may be posted: two base64 texts with their padding."""

    data: str
    signature: str


def _closed() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Post:
    """A message on its way; ``message`` or ``error`` is there once it is ``done``. Its thread
    sleeps at ``turn`` until then, or until it is the one that stores what waits."""

    caller: Caller
    draft: Draft
    message: str = ""
    error: Exception | None = None
    done: bool = False
    turn: threading.Lock = field(default_factory=_closed)

    def settle(self) -> None:
        if not self.message and self.error is None:  # whoever stored it was torn away
            self.error = Unavailable("The message was not stored; try again.")
        self.done = True


class Posting:
    def __init__(self, core: Core, access: Access) -> None:
        self._queue: list[_Post] = []
        self._queue_lock = threading.Lock()
        self._busy = False  # somebody stores, or is about to
        self._core = core
        self._db = core.db
        self._clock = core.clock
        self._settings = core.settings
        self._access = access

    def draft(self, caller: Caller, body: dict[str, Any]) -> Draft:
        """Checks a body. Raises Invalid, TooLarge."""
        data = decode_base64(body.get("data"), "data")
        signature = decode_base64(body.get("signature"), "signature")
        if len(signature) != SIGNATURE_BYTES:
            raise Invalid(f"signature must be {SIGNATURE_BYTES} bytes.")
        if json_integer(body.get("timestamp"), "timestamp") <= 0:
            raise Invalid("timestamp must be greater than 0.")
        most = self._settings["maxMessageBytes"]
        if len(data) > most:
            raise TooLarge(f"data may have at most {most} bytes.")
        if self._settings["verifySignatures"] and not verify(caller.key, data, signature):
            raise Invalid("signature does not belong to you and this data.")
        return Draft(_padded(body["data"]), _padded(body["signature"]))

    def post(self, caller: Caller, draft: Draft) -> str:
        """Stores it; returns the message as the open-group face shows it, as JSON. Raises
        RateLimited, and whatever `Access.judge` raises by now.

        Who comes while another post is being committed waits, and goes with all others that wait
        into one transaction: the way to the disk is the longest part of it.
        """
        post = _Post(caller, draft)
        with self._queue_lock:
            self._queue.append(post)
            waits, self._busy = self._busy, True
        if waits:
            post.turn.acquire()
        if not post.done:
            with self._core.writing.gathered():
                self._store_waiting()
        if post.error is not None:
            raise post.error
        return post.message

    def _store_waiting(self) -> None:
        """The posts that wait, the oldest of which is that of this thread; those who come
        meanwhile are left to the oldest of them. Each thread is woken for its own post alone: who
        is done does not wait for another commit."""
        with self._queue_lock:
            batch, self._queue = self._queue[:_TOGETHER], self._queue[_TOGETHER:]
        try:
            self._store(batch)
        finally:
            with self._queue_lock:
                self._busy = bool(self._queue)
                heir = self._queue[:1]
            for post in (*heir, *batch[1:]):
                post.turn.release()

    def _store(self, batch: list[_Post]) -> None:
        """Settles all of them; never raises an Exception."""
        try:
            with self._core.transaction():
                for post in batch:
                    self._attempt(post)
        except DatabaseUnavailable as error:  # for all of them, and trying again takes long
            for post in batch:
                post.error = error
        except Exception as error:
            if len(batch) > 1:  # the fault of one must not be that of the others
                for post in batch:
                    self._store([post])
            else:
                batch[0].error = error
        except BaseException:
            for post in batch:
                post.message = ""  # undone
            raise
        finally:
            for post in batch:
                post.settle()

    def _attempt(self, post: _Post) -> None:
        """Refused without having written anything, or written."""
        post.message, post.error = "", None
        now = self._clock.ms()
        try:
            self._check_rate(post.caller, now)
            drawn = self._draw(post.caller, now)
        except (NotFound, Unauthenticated, Forbidden, RateLimited) as refusal:
            post.error = refusal
        else:
            post.message = self._insert(post.caller, post.draft, drawn, now)

    def _draw(self, caller: Caller, now: int) -> Row:
        """Number and time of the next message. While no token and no ban of the room has changed
        since the caller was judged, one statement does; else they are judged once more."""
        params = {"room": caller.room, "now": now}
        drawn = self._db.one(_DRAW, {**params, "version": caller.counts_version})
        if drawn is None:
            version = self._access.confirm(caller).counts_version
            drawn = self._db.one(_DRAW, {**params, "version": version})
        if drawn is None:
            raise Unavailable("This room has no numbers left for messages: make another one.")
        return drawn

    def _insert(self, caller: Caller, draft: Draft, drawn: Row, now: int) -> str:
        db, room = self._db, caller.room
        number, timestamp = drawn["last_server_id"], drawn["last_timestamp"]
        row = {
            "id": f"{room}-{number}",
            "room": room,
            "sender": caller.key,
            "timestamp": timestamp,
            "server_id": number,
            "data": draft.data,
            "signature": draft.signature,
        }
        db.execute(_INSERT, row)
        self._core.people.join(room, caller.key, now)
        self._tell(caller, row)
        return (  # base64, keys and integers need no escaping
            f'{{"server_id":{number},"public_key":"{caller.key}","timestamp":{timestamp}'
            f',"data":"{draft.data}","signature":"{draft.signature}"}}'
        )

    def _tell(self, caller: Caller, row: dict[str, Any]) -> None:
        doc = {
            "id": row["id"],
            "roomId": caller.room,
            "senderId": caller.key,
            "content": row["data"],
            "timestamp": row["timestamp"],
            "serverId": row["server_id"],
            "signature": row["signature"],
            "isDeleted": False,
        }
        self._core.saved("message", row["id"], doc)
        told = {"room": caller.room, "serverId": row["server_id"], "id": row["id"]}
        self._core.writing.tell("rooms.message_posted", {**told, "sender": caller.key})

    def _check_rate(self, caller: Caller, now: int) -> None:
        most = self._settings["rateLimitMessages"]
        if not most:
            return
        skipped = min(most, _MOST_SKIPPED) - 1  # any integer is legal as the setting
        params = {"room": caller.room, "key": caller.key, "skipped": skipped}
        earlier = self._db.value(_NTH_NEWEST, params)
        if earlier is None:
            return
        wait = span_ms(self._settings["rateLimitSeconds"], SECOND_MS) - (now - earlier)
        if wait > 0:
            raise RateLimited(
                "You posted too many messages; wait a little.", retry_after=max(1.0, wait / 1000)
            )


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
