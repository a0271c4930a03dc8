# ruff: noqa: S608 (only names of placeholders are put together; values are bound)
"""Episodes of one batch folder: compared with what is known, looked up, stored (media contract,
7.4, 7.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Final

from builtin_plugins.media import folder_plan
from builtin_plugins.media.catalogue import TV_SHOW
from builtin_plugins.media.chain import SeasonFound
from builtin_plugins.media.discovery import FoundFile
from builtin_plugins.media.episodes import Mark, episode_mark, show_place
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
from builtin_plugins.media.names import Named, folded, show_name, stem_of
from builtin_plugins.media.show_store import ShowStore
from builtin_plugins.media.statements import named_list
from plugin_sdk import Row

__all__ = ["ShowScan"]

_FOLDER: Final = "d:"


@dataclass(frozen=True, slots=True)
class _File:
    film: FoundFile
    mark: Mark
    row: Row | None

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return [(self.mark.season, number) for number in self.mark.episodes]

    @property
    def is_whole(self) -> bool:
        """Whether it is as it was, with all episodes that its name tells of."""
        return (
            self.row is not None
            and self.row["held"] >= len(self.mark.episodes)
            and same_facts(self.film, self.row)
        )


@dataclass(slots=True)
class _Show:
    """The files of one show in the folder; ``key`` finds it again at the next scan."""

    key: str
    named: Named
    files: list[_File] = field(default_factory=list)
    media_id: str | None = None
    provider: str | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    answer: Answer | None = None
    seasons: dict[int, SeasonFound] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The path of its first file; shows come in the order of these."""
        return self.files[0].film.path

    @property
    def folder(self) -> str | None:
        """Where it lies; loose files have no folder of their own."""
        return self.key.removeprefix(_FOLDER) if self.key.startswith(_FOLDER) else None


def _parts(shows: Iterable[_Show]) -> Iterator[Sequence[_Show]]:
    """Portions with about so many files as are stored at a time."""
    some: list[_Show] = []
    for show in shows:
        some.append(show)
        if sum(len(each.files) for each in some) >= folder_plan.PART:
            yield some
            some = []
    if some:
        yield some


class ShowScan(FolderScan):
    kind = "tv"
    media_type = TV_SHOW

    @cached_property
    def _store(self) -> ShowStore:
        return ShowStore(self._db, self._catalogue, self._log)

    def known(self, library_id: str, folders: Sequence[str]) -> Mapping[str, Known]:
        """``held`` is how many episodes a file has: fewer than its name says when another file
        has them."""
        names, values = named_list("f", folders)
        rows = self._db.query(
            "SELECT f.id AS file_id, f.path, f.resolved, f.size, f.mtime_ns, l.folder,"
            " count(e.id) AS held, max(CASE WHEN s.failed THEN 1 ELSE 0 END) AS failed"
            " FROM library_file l JOIN file f ON f.id = l.file_id"
            " LEFT JOIN episode e ON e.file_id = f.id LEFT JOIN season s ON s.id = e.season_id"
            f" WHERE l.library_id = :library AND l.folder IN ({names})"
            " GROUP BY f.id, f.path, f.resolved, f.size, f.mtime_ns, l.folder",
            {**values, "library": library_id},
        )
        return by_folder(rows)

    def plans(
        self, folder: Folder, found: Sequence[FoundFile], known: Known, phase: Phase
    ) -> Iterator[Plan]:
        plan = Plan(scanned=len(found))
        open_shows: list[_Show] = []
        for show in self._shows(folder, found, known, plan):
            self._remember(show)
            if self._is_open(show, folder):
                open_shows.append(show)
            else:
                plan.saved += len({pair for each in show.files for pair in each.pairs})
        settled = folder.done is None and len(known) == len(found) - plan.skipped
        settled = settled and not open_shows
        if open_shows:
            self._lookups.chain.read()
        for some in _parts(open_shows):
            if plan.storing:
                yield plan
                plan = Plan()
            self._ask(some, folder, plan, phase)
            plan.until = some[-1].first
        plan.until = None
        plan.gone = gone_files(found, known)
        plan.settled = settled
        yield plan

    def _ask(self, shows: Sequence[_Show], folder: Folder, plan: Plan, phase: Phase) -> None:
        if self._lookups.chain.usable(self.kind):
            self._ask_titles(shows, folder, plan, phase)
            self._ask_seasons(shows, folder, plan, phase)
        for show in shows:
            self._settle(show, folder, plan)

    # What there is

    def _shows(
        self, folder: Folder, found: Sequence[FoundFile], known: Known, plan: Plan
    ) -> Iterable[_Show]:
        shows: dict[str, _Show] = {}
        for film in found:
            stem = stem_of(film.name)
            mark = episode_mark(stem, film.folders)
            if mark is None:
                plan.skipped += 1
                self._log.debug("A file without an episode number was left out: %s", film.name)
                continue
            key, named = self._show_of(folder, film, stem[: mark.begins] or stem)
            show = shows.setdefault(key, _Show(key, named))
            show.files.append(_File(film, mark, known.get(film.path)))
        return shows.values()

    def _show_of(self, folder: Folder, film: FoundFile, before: str) -> tuple[str, Named]:
        place = show_place(film.folders)
        if place:
            path = "/".join((folder.root.rstrip("/"), *film.folders[:place]))
            return f"{_FOLDER}{path}", show_name(film.folders[place - 1], self._last_year())
        named = show_name(before, self._last_year())
        return f"l:{folder.library_id}:{folded(named.title)}", named

    def _remember(self, show: _Show) -> None:
        """What the last scan made of the show."""
        row = self._db.one(
            "SELECT m.id, m.metadata_provider FROM show_key k JOIN media m ON m.id = k.media_id"
            " WHERE k.key = :key",
            {"key": show.key},
        )
        if row is not None:
            show.media_id, show.provider = row["id"], row["metadata_provider"]

    def _is_open(self, show: _Show, folder: Folder) -> bool:
        """Whether anything about it is new, changed, unmatched, or to be fetched again."""
        if folder.has_done(show.first) and all(each.is_whole for each in show.files):
            return False
        if self._rescan or show.provider is None:
            return True
        return any(
            not each.is_whole or (each.row is not None and each.row["failed"])
            for each in show.files
        )

    # What providers say

    def _ask_titles(self, shows: Sequence[_Show], folder: Folder, plan: Plan, phase: Phase) -> None:
        asked = [show for show in shows if show.provider is None or self._rescan]
        for show in shows:
            if show.media_id is not None and show.provider is not None:
                show.ids = self._catalogue.external_ids(show.media_id)
                if self._rescan:
                    show.named = self._known_better(show.named, show.ids)
        if not asked:
            return
        names = [(show.named, show.folder) for show in asked]
        answers = self._answers(names, folder, plan, phase)
        for show in asked:
            show.answer = answers[key_of(show.named)]
            if show.answer.metadata is not None:
                show.provider = show.answer.found.row
                show.ids = show.answer.metadata.ids

    def _ask_seasons(
        self, shows: Sequence[_Show], folder: Folder, plan: Plan, phase: Phase
    ) -> None:
        wanted = [
            (show, number)
            for show in shows
            if show.provider is not None
            for number in sorted(self._wanted_seasons(show))
        ]
        if not wanted:
            return
        phase("fetching-episodes", f"Looking up episodes of {folder.name}")
        found = self._lookups.seasons(
            (show.provider or "", show.ids, number) for show, number in wanted
        )
        for show, number in wanted:
            season = found[show.provider, str(sorted(show.ids.items())), number]
            if season is not None:
                show.seasons[number] = season
                plan.lookups += 1
                plan.errors += season.error

    def _wanted_seasons(self, show: _Show) -> set[int]:
        """Those with anything new in them, an episode that no file had until now included."""
        if show.answer is not None and show.answer.metadata is not None:
            return {each.mark.season for each in show.files}
        seasons = {
            each.mark.season for each in show.files if each.row is None or each.row["failed"]
        }
        lost = {
            pair
            for each in show.files
            if each.row is not None and each.row["held"] < len(each.mark.episodes)
            for pair in each.pairs
        }
        if lost and show.media_id is not None:
            lost -= self._store.episodes(show.media_id)
        return seasons | {season for season, _ in lost}

    # What is to be stored

    def _settle(self, show: _Show, folder: Folder, plan: Plan) -> None:
        """Leaves what did not change alone; the rest is stored as one."""
        metadata = show.answer.metadata if show.answer is not None else None
        changed = [
            each
            for each in show.files
            if metadata is not None or each.mark.season in show.seasons or not each.is_whole
        ]
        if changed:
            plan.storing.append(partial(self._store_show, show, folder, changed))
        else:
            plan.saved += len({pair for each in show.files for pair in each.pairs})

    def _store_show(self, show: _Show, folder: Folder, changed: Sequence[_File]) -> int:
        media_id = self._store.media(show.key, show.named.title, show.answer)
        show_id = self._catalogue.show(media_id)
        if show.answer is not None and show.answer.metadata is not None:
            self._catalogue.change_show(show_id, show.answer.metadata)
        for each in changed:
            file_id = self._files.store(each.film, folder)
            self._store.forget_film(file_id)
            season = self._store.season(
                show_id, each.mark.season, show.seasons.get(each.mark.season)
            )
            for number in each.mark.episodes:
                self._store.place(
                    season, number, file_id, each.film, show.seasons.get(each.mark.season)
                )
        return len({pair for each in show.files for pair in each.pairs})
