"""Films, shows and scans put straight into the database of the plugin media: so many that scanning
for them would take the time of the measurement."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

__all__ = ["MediaShelf"]

_NOW = 1_790_000_000_000
_WORDS = ("River", "Stone", "Winter", "Machine", "Garden", "Signal", "Harbour")


class MediaShelf:
    """Of a data directory that has been served, so that there are tables; it may still be."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "plugins" / "media" / "plugin.db"
        self._numbers = itertools.count(1)

    def _id(self) -> str:
        return f"c{next(self._numbers):024}"

    def add_films(self, count: int) -> None:
        films = [(self._id(), self._id(), self._id(), number) for number in range(count)]
        with self._writing() as insert:
            insert("media", (self._media(m, "MOVIE", f"Film {n:06}", n) for m, _, _, n in films))
            insert("file", (self._file_row(file, f"film/{file}") for _, file, _, _ in films))
            insert(
                "movie",
                (
                    {"id": movie, "media_id": media, "file_id": file, **_times(n)}
                    for media, file, movie, n in films
                ),
            )

    def add_shows(self, count: int, episodes: int = 1) -> str:
        """The id of the last one; seasons have 20 episodes."""
        last = ""
        with self._writing() as insert:
            for number in range(count):
                media, last = self._id(), self._id()
                insert("media", [self._media(media, "TV_SHOW", f"Show {number:06}", number)])
                insert("tvshow", [{"id": last, "media_id": media, **_times(number)}])
                self._add_episodes(insert, last, episodes)
        return last

    def _add_episodes(self, insert: Any, show: str, count: int) -> None:
        for season in range(-(-count // 20)):
            season_id = self._id()
            values = {"show_id": show, "number": season, "name": f"Season {season}"}
            insert("season", [{"id": season_id, **values, "failed": 0}])
            for number in range(min(20, count - season * 20)):
                file = self._id()
                insert("file", [self._file_row(file, f"show/{file}")])
                where = {"season_id": season_id, "number": number, "file_id": file}
                insert("episode", [{"id": self._id(), **where, "title": f"Episode {number}"}])

    def add_scans(self, count: int) -> str:
        """The id of the last one."""
        library = self._id()
        jobs = [self._id() for _ in range(count)]
        with self._writing() as insert:
            named = {"name": "Films", "folded": "films", "slug": f"films-{library}"}
            insert("library", [{"id": library, **named, "is_library": 1, **_times(0)}])
            insert(
                "scan_job",
                (
                    {
                        "id": job,
                        "library_id": library,
                        "scan_path": "/films",
                        "media_type": "MOVIE",
                        "status": "COMPLETED",
                        "options": "{}",
                        "metadata_status": "COMPLETED",
                        "listed": 1,
                        **_times(number),
                    }
                    for number, job in enumerate(jobs)
                ),
            )
        return jobs[-1]

    def set_posters(self, url: str) -> None:
        """One address for all, with a number behind it; no colours are known."""
        with closing(sqlite3.connect(self._file, timeout=30)) as database, database:
            database.execute(
                "UPDATE media SET poster_url = ? || rowid, colors = NULL, colors_failures = 0",
                [url],
            )

    def _media(self, media: str, kind: str, title: str, number: int) -> dict[str, Any]:
        title = f"{title} of the {_WORDS[number % len(_WORDS)]}"
        row = {"id": media, "type": kind, "title": title, "folded": title.lower()}
        # A picture without colours: nothing is computed for it.
        return {**row, "colors": "[]", "rating": 7.5, **_times(number)}

    def _file_row(self, file: str, path: str) -> dict[str, Any]:
        return {"id": file, "path": f"/{path}", "resolved": f"/{path}", "size": 1, "mtime_ns": 1}

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        with closing(sqlite3.connect(self._file, timeout=30)) as database, database:

            def insert(table: str, rows: Iterable[dict[str, Any]]) -> None:
                rows = iter(rows)
                first = next(rows)
                names = ", ".join(first)
                values = ", ".join(f":{name}" for name in first)
                database.executemany(
                    f"INSERT INTO {table} ({names}) VALUES ({values})",
                    itertools.chain([first], rows),
                )

            yield insert


def _times(number: int) -> dict[str, int]:
    return {"created_at": _NOW + number, "updated_at": _NOW + number}
