"""Numbers of the library, and covers by chance (songs contract, 3.4 to 3.6)."""

from __future__ import annotations

import random
from typing import Any, Final

from builtin_plugins.songs.artists import LETTERS
from plugin_sdk import Database

__all__ = ["random_covers", "stats", "tuning_names"]

_FEW: Final = 400
_TRIES: Final = 20
_NEAR: Final = 8
_WITH_COVER: Final = "SELECT track_id FROM tracks WHERE has_cover AND track_id"


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
    rows = db.query(f"{_WITH_COVER} >= '' ORDER BY track_id LIMIT :few", {"few": few + 1})
    if len(rows) <= few:
        return random.sample([row["track_id"] for row in rows], min(count, len(rows)))
    chosen: dict[str, None] = {}
    for _ in range(_TRIES):
        if len(chosen) >= count:
            break
        chosen |= dict.fromkeys(_neighbours(db, count - len(chosen)))
    return list(chosen)[:count]


def _neighbours(db: Database, count: int) -> list[str]:
    """Of so many random points at least, in one statement; a point behind the last has none."""
    wanted = 1
    while wanted < count:
        wanted *= 2
    near = (
        f"({_WITH_COVER} >= :point_{number} ORDER BY track_id LIMIT 1 OFFSET :far_{number})"
        for number in range(wanted)
    )
    points = {f"point_{n}": f"track_{random.getrandbits(128):032x}" for n in range(wanted)}
    far = {f"far_{n}": random.randrange(_NEAR) for n in range(wanted)}  # noqa: S311 - no secret
    columns = ", ".join(f"{each} AS n{number}" for number, each in enumerate(near))
    found = db.one(f"SELECT {columns}", {**points, **far}) or {}
    return [each for each in found.values() if each is not None]
