"""What people keep with songs: scores, favourites and loops (songs contract, 6 and 7).

Each change is one statement or one transaction, so that none is lost among many at once.
"""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from builtin_plugins.songs.bodies import Fields
from builtin_plugins.songs.chunks import listed
from builtin_plugins.songs.identity import is_track_id
from builtin_plugins.songs.parameters import Parameters
from builtin_plugins.songs.people import People, Person
from builtin_plugins.songs.rows import iso
from builtin_plugins.songs.songbook import Songbook
from plugin_sdk import (
    ADMIN,
    Clock,
    Conflict,
    Database,
    Events,
    Invalid,
    NotFound,
    Principal,
    Problem,
    Request,
    Row,
)

__all__ = ["Favorites", "Loops", "Scores", "forget_profile"]

_MAX_BATCH: Final = 500
_MAX_LOOPS: Final = 500
_DAY: Final = 86400
_LOOP_NAME: Final = 128


class Scores:
    def __init__(
        self, db: Database, clock: Clock, events: Events, songbook: Songbook, people: People
    ) -> None:
        self._db = db
        self._clock = clock
        self._events = events
        self._songbook = songbook
        self._people = people

    def submit(self, request: Request, track_id: str) -> dict[str, Any]:
        """The best score, the number of plays and the last one, after this one."""
        fields = Fields(request.body)
        score = fields.integer("score", 0, 100)
        profile_id = fields.profile_id()
        fields.finish()
        person = self._people.meant(request.principal, profile_id)
        song = self._songbook.get(track_id)
        now = self._clock.ms()
        with self._db.transaction():
            row = self._db.one(
                "INSERT INTO scores (profile_id, id, best, plays, last_played_at) "
                "SELECT :profile_id, t.id, :score, 1, :now FROM tracks t WHERE t.id = :song "
                "ON CONFLICT (profile_id, id) DO UPDATE SET "
                "best = CASE WHEN scores.best > excluded.best THEN scores.best "
                "ELSE excluded.best END, plays = scores.plays + 1, last_played_at = :now "
                "RETURNING best, plays, last_played_at",
                {"profile_id": person.id, "song": song.id, "score": score, "now": now},
            )
            if row is None:  # it went in between
                raise NotFound("There is no such track.")
            shown = song.shown
            told = {
                "trackId": track_id,
                "score": score,
                "profileId": person.id,
                "playerName": person.name,
                "title": shown.title,
                "artist": shown.artist,
                "submittedAt": iso(now),
            }
            self._events.emit("songs.score_submitted", told)
        return {"trackId": track_id, "profileId": person.id, **_score(row)}

    def batch(self, request: Request) -> dict[str, Any]:
        """Scores by trackId, of those that have one."""
        fields = Fields(request.body)
        track_ids = fields.texts("trackIds", _MAX_BATCH)
        profile_id = fields.profile_id()
        fields.finish()
        person = self._people.meant(request.principal, profile_id)
        wanted = [each for each in dict.fromkeys(track_ids) if is_track_id(each)]
        if not wanted:
            return {}
        names, params = listed(wanted)
        rows = self._db.query(
            "SELECT t.track_id, c.best, c.plays, c.last_played_at FROM tracks t "
            "JOIN scores c ON c.profile_id = :profile_id AND c.id = t.id "
            f"WHERE t.track_id IN ({names})",
            {**params, "profile_id": person.id},
        )
        return {row["track_id"]: _score(row) for row in rows}


def _score(row: Row) -> dict[str, Any]:
    return {
        "bestScore": row["best"],
        "playCount": row["plays"],
        "lastPlayedAt": iso(row["last_played_at"]),
    }


class Favorites:
    def __init__(self, db: Database, events: Events, songbook: Songbook, people: People) -> None:
        self._db = db
        self._events = events
        self._songbook = songbook
        self._people = people

    def toggle(self, request: Request) -> dict[str, Any]:
        fields = Fields(request.body)
        track_id = fields.text("trackId")
        profile_id = fields.profile_id()
        fields.finish()
        person = self._people.meant(request.principal, profile_id)
        with self._db.transaction():
            key = {"profile_id": person.id, "id": self._songbook.id_of(track_id)}
            favorites = self._db.table("favorites")
            favorite = not favorites.delete((person.id, key["id"]))
            if favorite:
                favorites.insert(key)
            told = {"trackId": track_id, "profileId": person.id, "favorite": favorite}
            self._events.emit("songs.favorite_changed", told)
        return {"trackId": track_id, "favorite": favorite}


class Loops:
    def __init__(self, db: Database, clock: Clock, songbook: Songbook, people: People) -> None:
        self._db = db
        self._clock = clock
        self._songbook = songbook
        self._people = people

    def all(self, request: Request, track_id: str) -> list[dict[str, Any]]:
        """Those of one profile on one track, oldest first."""
        read = Parameters(request)
        profile_id = read.optional_integer("profileId", 1)
        read.finish()
        if profile_id is None:
            profile_id = request.principal.profile_id
        if profile_id is None:
            problem = Problem("profileId", "is needed without a profile's token")
            raise Invalid(f"{problem.path} {problem.message}.", details=[problem])
        song = self._songbook.id_of(track_id)
        if self._people.name(profile_id) is None:
            return []
        rows = self._db.table("loops").rows_where(
            "song = :song AND profile_id = :profile_id",
            {"song": song, "profile_id": profile_id},
            order_by="id",
        )
        return [_loop(row, track_id) for row in rows]

    def add(self, request: Request, track_id: str) -> dict[str, Any]:
        fields = Fields(request.body)
        start, end = fields.seconds("start_time", _DAY), fields.seconds("end_time", _DAY)
        name = fields.optional_text("name", _LOOP_NAME)
        fields.finish()
        if start >= end:
            problem = Problem("end_time", "must be greater than start_time")
            raise Invalid(f"{problem.path} {problem.message}.", details=[problem])
        person = self._people.caller(request.principal)
        with self._db.transaction():
            song = self._songbook.id_of(track_id)
            names = self._names(song, person)
            if len(names) >= _MAX_LOOPS:
                raise Conflict(f"There are {_MAX_LOOPS} loops on this track already.")
            row = {
                "song": song,
                "profile_id": person.id,
                "name": name or _free_name(names),
                "start_time": start,
                "end_time": end,
                "created_at": self._clock.ms(),
            }
            loop_id = self._db.table("loops").insert(row)
        return _loop({**row, "id": loop_id}, track_id)

    def delete(self, principal: Principal, loop_id: int) -> None:
        """Raises NotFound also for another's, unless the caller is an admin."""
        person = self._people.caller(principal)
        condition = "" if principal.holds(ADMIN) else " AND profile_id = :profile_id"
        params = {"id": loop_id, "profile_id": person.id}
        if not self._db.table("loops").delete_where(f"id = :id{condition}", params):
            raise NotFound("There is no such loop.")

    def _names(self, song: int, person: Person) -> list[str]:
        rows = self._db.table("loops").rows_where(
            "song = :song AND profile_id = :profile_id",
            {"song": song, "profile_id": person.id},
            select="name",
        )
        return [row["name"] for row in rows]


def _free_name(names: Sequence[str]) -> str:
    taken = set(names)
    return next(
        name for number in range(1, len(taken) + 2) if (name := f"Loop {number}") not in taken
    )


def _loop(row: Mapping[str, Any], track_id: str) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "startTime": row["start_time"],
        "endTime": row["end_time"],
        "trackId": track_id,
        "profileId": row["profile_id"],
        "createdAt": iso(row["created_at"]),
    }


def forget_profile(db: Database, profile_id: int) -> int:
    """Removes what a profile kept; how many rows."""
    with db.transaction():
        return sum(
            db.table(table).delete_where("profile_id = :id", {"id": profile_id})
            for table in ("favorites", "scores", "loops")
        )
