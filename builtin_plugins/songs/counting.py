"""Numbers of the library, and covers by chance (songs contract, 3.4 to 3.6)."""

from __future__ import annotations

import random
from typing import Any, Final

from builtin_plugins.songs.artists import LETTERS
from plugin_sdk import Database

__all__ = ["random_covers", "stats", "tuning_names"]

_FEW: Final = 400
_TRIES: Final = 20


def stats(db: Database) -> dict[str, Any]:
    rows = db.query(
        "SELECT letter, CAST(sum(songs) AS bigint) AS songs, count(*) AS artists "
        "FROM artists GROUP BY letter"
    )
    songs = {row["letter"]: row["songs"] for row in rows}
    return {
        "totalSongs": sum(songs.values()),
        "totalArtists": sum(row["artists"] for row in rows),
        "letters": {letter: songs[letter] for letter in LETTERS if songs.get(letter)},
    }


def tuning_names(db: Database) -> list[dict[str, Any]]:
    rows = db.query(
        "SELECT tuning_name AS name, CAST(sum(songs) AS bigint) AS count FROM facets "
        "WHERE songs > 0 GROUP BY tuning_name"
    )
    return sorted(rows, key=lambda row: (-row["count"], row["name"]))


def random_covers(db: Database, count: int) -> list[str]:
    """Different trackIds of songs with a cover: all, when there are fewer.

    A trackId is a hash, so a random point among them has a random neighbour; of that one's
    neighbourhood one is taken, since gaps differ.
    """
    few = max(_FEW, count)
    rows = _with_cover(db, "", few + 1)
    if len(rows) <= few:
        return random.sample(rows, min(count, len(rows)))
    chosen: dict[str, None] = {}
    for _ in range(count * _TRIES):
        if len(chosen) == count:
            break
        neighbours = _with_cover(db, f"track_{random.getrandbits(128):032x}", 8)
        if neighbours:
            chosen.setdefault(random.choice(neighbours))  # noqa: S311 - no secret
    return list(chosen)


def _with_cover(db: Database, start: str, limit: int) -> list[str]:
    rows = db.query(
        "SELECT track_id FROM tracks WHERE has_cover AND track_id >= :start "
        "ORDER BY track_id LIMIT :limit",
        {"start": start, "limit": limit},
    )
    return [row["track_id"] for row in rows]
