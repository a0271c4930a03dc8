"""Films of one batch folder: compared with what is known, looked up, stored (media contract,
7.4, 7.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from builtin_plugins.media import folder_plan
from builtin_plugins.media.catalogue import MOVIE
from builtin_plugins.media.discovery import FoundFile
from builtin_plugins.media.folder_plan import (
    Folder,
    Known,
    Phase,
    Plan,
    gone_files,
    same_facts,
)
from builtin_plugins.media.folder_scan import FolderScan, by_folder
from builtin_plugins.media.lookups import Answer, key_of
from builtin_plugins.media.names import Named, movie_name, stem_of
from builtin_plugins.media.statements import chunks, named_list
from plugin_sdk import Row

__all__ = ["FilmScan"]

_FACTS = (
    "SELECT f.id AS file_id, f.path, f.resolved, f.size, f.mtime_ns, v.id AS movie_id,"
    " m.id AS media_id, m.metadata_provider"
)
_FILM = " LEFT JOIN movie v ON v.file_id = f.id LEFT JOIN media m ON m.id = v.media_id"


@dataclass(frozen=True, slots=True)
class _Item:
    """A film that is new, changed, or asked about. ``row`` is what is known of it."""

    film: FoundFile
    named: Named
    row: Row | None


class FilmScan(FolderScan):
    kind = "movie"
    media_type = MOVIE

    def known(self, library_id: str, folders: Sequence[str]) -> Mapping[str, Known]:
        names, values = named_list("f", folders)
        rows = self._db.query(
            f"{_FACTS}, l.folder FROM library_file l JOIN file f ON f.id = l.file_id{_FILM}"
            f" WHERE l.library_id = :library AND l.folder IN ({names})",
            {**values, "library": library_id},
        )
        return by_folder(rows)

    def plans(
        self, folder: Folder, found: Sequence[FoundFile], known: Known, phase: Phase
    ) -> Iterator[Plan]:
        plan, settled = Plan(), folder.done is None and len(known) == len(found)
        read = False
        for some in chunks(found, folder_plan.PART):
            if plan.storing:
                yield plan
                plan = Plan()
            asked = self._compare(some, folder, known, plan)
            if asked and not read:
                self._lookups.chain.read()
                read = True
            if asked:
                self._ask(asked, folder, known, plan, phase)
            settled = settled and not asked and not plan.storing
            plan.until = some[-1].path
        plan.until = None
        plan.gone = gone_files(found, known)
        plan.settled = settled
        yield plan

    def _compare(
        self, found: Sequence[FoundFile], folder: Folder, known: Known, plan: Plan
    ) -> list[_Item]:
        """Those to be asked about."""
        elsewhere = self._elsewhere([film.path for film in found if film.path not in known])
        asked: list[_Item] = []
        for film in found:
            row = known.get(film.path) or elsewhere.get(film.path)
            same = row is not None and film.path in known and same_facts(film, row)
            if same and folder.has_done(film.path):
                plan.saved += 1
            elif row is not None and row["metadata_provider"] and not self._rescan:
                if same:
                    plan.saved += 1
                else:
                    plan.storing.append(partial(self._store_facts, film, folder))
            else:
                asked.append(self._item(film, row))
        plan.scanned += len(found)
        return asked

    def _item(self, film: FoundFile, row: Row | None) -> _Item:
        named = movie_name(film.folders, stem_of(film.name), self._last_year())
        if row is not None and row["metadata_provider"]:
            named = self._known_better(named, self._catalogue.external_ids(row["media_id"]))
        return _Item(film, named, row)

    def _ask(
        self, items: Sequence[_Item], folder: Folder, known: Known, plan: Plan, phase: Phase
    ) -> None:
        answers: Mapping[Any, Answer] = {}
        if self._lookups.chain.usable(self.kind):
            names = [(item.named, item.film.path) for item in items]
            answers = self._answers(names, folder, plan, phase)
        for item in items:
            answer = answers.get(key_of(item.named))
            unchanged = (
                item.film.path in known
                and item.row is not None
                and item.row["movie_id"] is not None
                and same_facts(item.film, item.row)
            )
            if unchanged and (answer is None or answer.metadata is None):
                plan.saved += 1
            else:
                plan.storing.append(partial(self._store, item, folder, answer))

    def _elsewhere(self, paths: Sequence[str]) -> Known:
        """Files that other libraries hold."""
        rows: dict[str, Row] = {}
        for some in chunks(paths):
            names, values = named_list("p", some)
            found = self._db.query(f"{_FACTS} FROM file f{_FILM} WHERE f.path IN ({names})", values)
            rows.update((row["path"], row) for row in found)
        return rows

    # Inside the folder's transaction

    def _store_facts(self, film: FoundFile, folder: Folder) -> int:
        self._files.store(film, folder)
        return 1

    def _store(self, item: _Item, folder: Folder, answer: Answer | None) -> int:
        file_id = self._files.store(item.film, folder)
        movie = self._db.one("SELECT * FROM movie WHERE file_id = :id", {"id": file_id})
        if movie is None:
            self._forget_episodes(file_id)
        metadata = answer.metadata if answer is not None else None
        if answer is None or metadata is None:
            if movie is None:
                media_id = self._catalogue.create(MOVIE, item.named.title)
                self._catalogue.add_movie(media_id, file_id, {})
            return 1
        current = movie["media_id"] if movie is not None else None
        media_id = self._media(current, metadata.ids, metadata.title)
        if answer.artwork is not None:
            self._catalogue.fill(
                media_id, metadata, answer.found.row, answer.found.source, answer.artwork
            )
        values = self._catalogue.film_length(metadata)
        if movie is None:
            self._catalogue.add_movie(media_id, file_id, values)
        else:
            self._catalogue.change_movie(movie, {**values, "media_id": media_id})
            if current is not None and current != media_id:
                self._catalogue.remove_empty([current])
        return 1

    def _media(self, current: str | None, ids: Mapping[str, str], title: str) -> str:
        """The media of a match: the one with its ids, else the film's own, else a new one."""
        found = self._catalogue.find(MOVIE, ids)
        if found is not None:
            return found
        if current is None or self._is_shared(current):
            return self._catalogue.create(MOVIE, title)
        return current

    def _is_shared(self, media_id: str) -> bool:
        count = self._db.value("SELECT count(*) FROM movie WHERE media_id = :id", {"id": media_id})
        return int(count) > 1

    def _forget_episodes(self, file_id: str) -> None:
        """The file was scanned as episodes before: it is a film now."""
        rows = self._db.query(
            "SELECT DISTINCT t.media_id FROM episode e JOIN season s ON s.id = e.season_id"
            " JOIN tvshow t ON t.id = s.show_id WHERE e.file_id = :id",
            {"id": file_id},
        )
        if rows:
            self._catalogue.memory.forget()
            self._db.table("episode").delete_where("file_id = :id", {"id": file_id})
            self._catalogue.remove_empty([row["media_id"] for row in rows])
