# ruff: noqa: S608 (only names of placeholders and constants are put together; values are bound)
"""Libraries: rows, slugs, counts, and what goes with one that is deleted (media contract, 5.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from unicodedata import combining, normalize

from builtin_plugins.media.catalogue import Catalogue
from builtin_plugins.media.ids import Ids, may_be_kept
from builtin_plugins.media.names import folded
from builtin_plugins.media.statements import chunks, named_list
from builtin_plugins.media.tally import Tally
from plugin_sdk import Clock, Conflict, Database, NotFound, Row

__all__ = ["TYPES", "Libraries", "slug_of"]

TYPES: Final = ("MOVIE", "TV_SHOW", "MUSIC", "COMIC")

_MEDIA: Final = (
    " FROM library_file l JOIN movie v ON v.file_id = l.file_id",
    " FROM library_file l JOIN episode e ON e.file_id = l.file_id"
    " JOIN season s ON s.id = e.season_id JOIN tvshow t ON t.id = s.show_id",
)


def slug_of(name: str) -> str:
    plain = "".join(c for c in normalize("NFKD", name) if not combining(c)).lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "library"


class Libraries:
    def __init__(
        self, database: Database, ids: Ids, clock: Clock, catalogue: Catalogue, tally: Tally
    ) -> None:
        self._db = database
        self._tally = tally
        self._ids = ids
        self._clock = clock
        self._catalogue = catalogue

    # Asking

    def all(self, *, is_library: bool | None, kind: str | None) -> list[dict[str, Any]]:
        conditions, params = ["1 = 1"], dict[str, Any]()
        if is_library is not None:
            conditions.append("is_library = :is_library")
            params["is_library"] = is_library
        if kind is not None:
            conditions.append("library_type = :kind")
            params["kind"] = kind
        rows = self._db.query(
            f"SELECT * FROM library WHERE {' AND '.join(conditions)}"
            " ORDER BY CASE WHEN is_library THEN 0 ELSE 1 END, folded, id",
            params,
        )
        counts = self._counts()
        return [self.shown(row, counts.get(row["id"], 0)) for row in rows]

    def get(self, library_id: str) -> Row:
        """Raises NotFound."""
        row = self._db.table("library").get(library_id) if may_be_kept(library_id) else None
        if row is None:
            raise NotFound(f"Library with identifier '{library_id}' not found", code="RESOURCE")
        return row

    def by_path(self, path: str) -> Row | None:
        return self._db.one("SELECT * FROM library WHERE library_path = :path", {"path": path})

    def one(self, library_id: str) -> dict[str, Any]:
        row = self.get(library_id)
        return self.shown(row, self._counts(library_id).get(library_id, 0))

    def shown(self, row: Row, count: int | None = None) -> dict[str, Any]:
        """The library object of the contract; without a count there is no ``mediaCount``."""
        shown = {
            "id": row["id"],
            "name": row["name"],
            "slug": row["slug"],
            "description": row["description"],
            "posterUrl": row["poster_url"],
            "backdropUrl": row["backdrop_url"],
            "isLibrary": bool(row["is_library"]),
            "libraryPath": row["library_path"],
            "libraryType": row["library_type"],
            "createdAt": self._clock.iso(row["created_at"]),
            "updatedAt": self._clock.iso(row["updated_at"]),
            "parentId": None,
        }
        return shown if count is None else {**shown, "mediaCount": count}

    def _counts(self, library_id: str | None = None) -> Mapping[str, int]:
        """Media by library."""
        return self._tally.get(("media", library_id), lambda: self._counted_media(library_id))

    def _counted_media(self, library_id: str | None) -> dict[str, int]:
        """Two statements: a union of both costs several times as much."""
        where = "" if library_id is None else " WHERE l.library_id = :library"
        counts: dict[str, int] = {}
        for media, held in zip(("v.media_id", "t.media_id"), _MEDIA, strict=True):
            for row in self._db.query(
                f"SELECT l.library_id, count(DISTINCT {media}) AS media{held}{where}"
                " GROUP BY l.library_id",
                None if library_id is None else {"library": library_id},
            ):
                counts[row["library_id"]] = counts.get(row["library_id"], 0) + row["media"]
        return counts

    def stats(self, library_id: str | None = None) -> dict[str, Any]:
        """Counts over everything, or over one library; raises NotFound."""
        if library_id is None:
            return dict(self._tally.get("stats", self._all_stats))
        library = self.get(library_id)
        counted = self._tally.get(("stats", library_id), lambda: self._stats_of(library_id))
        return {"libraryId": library["id"], "libraryName": library["name"], **counted}

    def _stats_of(self, library_id: str) -> dict[str, Any]:
        params = {"library": library_id}
        where = " WHERE l.library_id = :library"
        value = self._db.value
        kinds = {
            "MOVIE": value(f"SELECT count(DISTINCT v.media_id){_MEDIA[0]}{where}", params),
            "TV_SHOW": value(f"SELECT count(DISTINCT t.media_id){_MEDIA[1]}{where}", params),
        }
        seasons = value(f"SELECT count(DISTINCT s.id){_MEDIA[1]}{where}", params)
        episodes = value(f"SELECT count(DISTINCT e.id){_MEDIA[1]}{where}", params)
        size = value(
            f"SELECT sum(f.size) FROM library_file l JOIN file f ON f.id = l.file_id{where}",
            params,
        )
        return _counted(kinds, seasons, episodes, size)

    def _all_stats(self) -> dict[str, Any]:
        rows = self._db.query("SELECT type, count(*) AS media FROM media GROUP BY type")
        kinds = {row["type"]: row["media"] for row in rows}
        value = self._db.value
        libraries = value("SELECT count(*) FROM library WHERE is_library = :yes", {"yes": True})
        seasons = value("SELECT count(*) FROM season")
        episodes = value("SELECT count(*) FROM episode")
        size = value("SELECT sum(size) FROM file")
        return {"totalLibraries": int(libraries), **_counted(kinds, seasons, episodes, size)}

    # Changing

    def create(self, values: Mapping[str, Any]) -> str:
        """To be called in a transaction. Raises Conflict when another library has the path."""
        self._refuse_taken(values.get("library_path"), None)
        self._tally.touch()
        now, library_id, name = self._clock.ms(), self._ids.new(), values["name"]
        self._db.table("library").insert(
            {
                "is_library": True,
                **values,
                "id": library_id,
                "folded": folded(name),
                "slug": self._free_slug(slug_of(name)),
                "created_at": now,
                "updated_at": now,
            }
        )
        return library_id

    def change(self, library_id: str, values: Mapping[str, Any]) -> bool:
        """To be called in a transaction; whether anything is different now. Raises NotFound,
        Conflict."""
        row = self.get(library_id)
        wanted = dict(values)
        if "name" in wanted:
            wanted["folded"] = folded(wanted["name"])
        if wanted.get("library_path") != row["library_path"]:
            self._refuse_taken(wanted.get("library_path"), library_id)
        changes = {name: value for name, value in wanted.items() if row[name] != value}
        if changes:
            changes["updated_at"] = self._clock.ms()
            self._db.table("library").update(library_id, changes)
        return bool(changes)

    def delete(self, library_id: str) -> tuple[str, int]:
        """Its name, and how many media went with it. To be called in a transaction; raises
        NotFound."""
        name = self.get(library_id)["name"]
        rows = self._db.query(
            "SELECT file_id FROM library_file WHERE library_id = :id", {"id": library_id}
        )
        removed = self.unlink(library_id, [row["file_id"] for row in rows])
        self._db.table("library").delete(library_id)
        self._tally.touch()
        return name, removed

    def unlink(self, library_id: str, file_ids: Sequence[str]) -> int:
        """Takes files out of a library, and with them what no library holds any more; returns
        how many media went. To be called in a transaction."""
        media: set[str] = set()
        if file_ids:
            self._catalogue.memory.forget()
            self._tally.touch()
        for some in chunks(file_ids):
            names, values = named_list("f", some)
            self._db.execute(
                f"DELETE FROM library_file WHERE library_id = :library AND file_id IN ({names})",
                {**values, "library": library_id},
            )
            alone = (
                f"file_id IN ({names}) AND NOT EXISTS"
                " (SELECT 1 FROM library_file l WHERE l.file_id = {0}.file_id)"
            )
            rows = self._db.query(
                f"SELECT media_id FROM movie WHERE {alone.format('movie')}"
                " UNION SELECT t.media_id FROM episode JOIN season s ON s.id = episode.season_id"
                f" JOIN tvshow t ON t.id = s.show_id WHERE episode.{alone.format('episode')}",
                values,
            )
            media.update(row["media_id"] for row in rows)
            self._db.execute(
                f"DELETE FROM file WHERE id IN ({names}) AND NOT EXISTS"
                " (SELECT 1 FROM library_file l WHERE l.file_id = file.id)",
                values,
            )
        return self._catalogue.remove_empty(sorted(media))

    def _refuse_taken(self, path: str | None, but: str | None) -> None:
        other = self.by_path(path) if path else None
        if other is not None and other["id"] != but:
            raise Conflict(f"The library {other['name']} has that path already")

    def _free_slug(self, slug: str) -> str:
        rows = self._db.query(
            "SELECT slug FROM library WHERE slug = :slug OR substr(slug, 1, :length) = :begin",
            {"slug": slug, "begin": f"{slug}-", "length": len(slug) + 1},
        )
        taken = {row["slug"] for row in rows}
        number, free = 0, slug
        while free in taken:
            number += 1
            free = f"{slug}-{number}"
        return free


def _counted(kinds: Mapping[str, int], seasons: int, episodes: int, size: Any) -> dict[str, Any]:
    return {
        "totalMedia": sum(kinds.values()),
        "mediaByType": {kind: kinds.get(kind, 0) for kind in TYPES},
        "totalSeasons": seasons,
        "totalEpisodes": episodes,
        "totalSize": str(int(size or 0)),
    }
