"""What films and shows have in common when a batch folder is compared, looked up and stored (media
contract, 7.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from builtin_plugins.media.catalogue import Catalogue
from builtin_plugins.media.folder_plan import Files, Folder, Known, Phase, Plan
from builtin_plugins.media.lookups import Answer, Key, Lookups, key_of
from builtin_plugins.media.names import Named
from plugin_sdk import Database, Logger, Row

__all__ = ["FolderScan", "by_folder"]


class FolderScan:
    """``rescan``: details of what is matched are fetched again. ``last_year`` is the latest that
    counts as one in a name."""

    kind: ClassVar[str]
    media_type: ClassVar[str]

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        files: Files,
        lookups: Lookups,
        log: Logger,
        *,
        rescan: bool,
        last_year: Callable[[], int],
    ) -> None:
        self._db = database
        self._catalogue = catalogue
        self._files = files
        self._lookups = lookups
        self._log = log
        self._rescan = rescan
        self._last_year = last_year

    def _answers(
        self,
        wanted: Sequence[tuple[Named, str | None]],
        folder: Folder,
        plan: Plan,
        phase: Phase,
    ) -> Mapping[Key, Answer]:
        """``wanted`` are names, each with the path of a film's file or a show's folder. Raises
        Stopped."""
        new = {key_of(named) for named, _ in wanted if not self._lookups.known(named)}
        if new:
            phase("fetching-metadata", f"Looking up {folder.name}")
        answers = self._lookups.titles(self.kind, self.media_type, wanted, again=self._rescan)
        plan.count(answers[key] for key in new)
        return answers

    def _known_better(self, named: Named, ids: Mapping[str, str]) -> Named:
        """A rescan knows more than the name does."""
        return Named(named.title, named.year, {**ids, **named.ids})


def by_folder(rows: Iterable[Row]) -> Mapping[str, Known]:
    """Rows with ``folder`` and ``path``."""
    known: dict[str, dict[str, Row]] = {}
    for row in rows:
        known.setdefault(row["folder"], {})[row["path"]] = row
    return known
