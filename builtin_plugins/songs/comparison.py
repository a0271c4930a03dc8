"""What lies in the song folder, against what the index knows of it (songs contract, 4.3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from builtin_plugins.songs.asking import Asker
from builtin_plugins.songs.chunks import listed
from builtin_plugins.songs.deletions import Deletions
from builtin_plugins.songs.identity import filename_of, track_id_of
from builtin_plugins.songs.walking import Candidate, Walk, plain_formats
from plugin_sdk import Database, Logger, SongFormat

__all__ = ["Comparison", "Unlisted"]


class Unlisted(Exception):
    """The song folder cannot be listed."""


class Comparison:
    """One look at the folder.

    ``returning``: a full run brings back what was deleted up to that number, and reads all; None
    is an incremental run, which brings back nothing that has not changed. ``looked`` is the number
    of the latest deletion when the look began: what was deleted later is not known to it.
    ``signatures`` are those of the songs that are shown, by path. After `look`: ``tasks`` are to be
    read, ``nameless`` are found but have a name that is no Unicode text, of ``faults`` not even
    that much can be said, and ``unchanged`` counts songs that need nothing. ``lost`` are trackIds
    of unreadable songs that are there no more. ``silent``: by format, the song at which its reader
    did not answer any more; what it knew stays as it is.
    """

    def __init__(
        self, db: Database, root: str, formats: Sequence[SongFormat], returning: int | None
    ) -> None:
        self._db = db
        self._root = root
        self._formats = formats
        self._full = returning is not None
        deletions = Deletions(db)
        self.looked = deletions.latest()
        self.signatures: dict[str, str] = {}
        self._named: dict[str, str] = {}  # formats of those that `plain_formats` does not hold
        self._find_known()
        self._deleted = deletions.signatures(after=-1 if returning is None else returning)
        self._unreadable = self._remembered_unreadable()
        self.tasks: list[Candidate] = []
        self.nameless: list[Candidate] = []
        self.faults: Sequence[Candidate] = ()
        self.silent: Mapping[str, str] = {}
        self.unchanged = 0
        self.lost = set(self._unreadable)
        self._seen: set[str] = set()
        self._closed: Sequence[str] = ()

    def look(self, platform: str, log: Logger, check: Callable[[], None], asker: Asker) -> None:
        """Walks through the folder; ``check`` is called for each song that is not unchanged.
        Raises Unlisted."""
        shown, known = self.signatures, {} if self._full else self.signatures
        with asker:
            walk = Walk(self._root, self._formats, known, self._named, shown, log, asker, platform)
            try:
                for found in walk.songs():
                    check()
                    if not _has_twin(self._root, found.path):
                        self._take(found)
            except OSError:
                raise Unlisted from None
        self.unchanged += len(walk.unchanged)
        self._seen.update(walk.unchanged)
        self._closed = walk.closed
        self.faults = [each for each in walk.faults if _track_id(each.path) is not None]
        self._seen.update(each.path for each in self.faults)
        self._leave(walk)

    def _leave(self, walk: Walk) -> None:
        """What nobody was asked about."""
        self.silent = walk.silent
        left = set(walk.unasked)
        self._seen |= left
        self.unchanged += len(left & self.signatures.keys() - set(walk.silent.values()))
        self.lost -= {_track_id(path) for path in left}

    def gone(self) -> list[str]:
        """Paths of songs that are shown and were not found. Those of a format that is switched
        off are unchanged while their file exists."""
        found = {filename_of(task.path) for task in self.tasks}  # perhaps in another Unicode form
        names = {each.name for each in self._formats}
        gone = []
        for path in self.signatures.keys() - self._seen:
            if self._closed and path.startswith(tuple(self._closed)):
                continue
            if self._named.get(path, "") not in {*names, ""} and os.path.lexists(
                os.path.join(self._root, path)  # noqa: PTH118
            ):
                self.unchanged += 1
            elif filename_of(path) not in found:
                gone.append(path)
        return gone

    def _find_known(self) -> None:
        """Of all songs, so as little as can be."""
        names, params = listed([*plain_formats(self._formats), ""])
        shown = "FROM songs s JOIN tracks t ON t.id = s.id WHERE s.format"
        plain = self._db.iterate(f"SELECT s.path, s.signature {shown} IN ({names})", params)
        self.signatures.update((row["path"], row["signature"]) for row in plain)
        for row in self._db.iterate(
            f"SELECT s.path, s.signature, s.format {shown} NOT IN ({names})", params
        ):
            self.signatures[row["path"]] = row["signature"]
            self._named[row["path"]] = row["format"]

    def _remembered_unreadable(self) -> dict[str, str]:
        rows = self._db.query("SELECT track_id, signature FROM unreadable")
        return {row["track_id"]: row["signature"] for row in rows}

    def _take(self, found: Candidate) -> None:
        self._seen.add(found.path)
        track_id = _track_id(found.path)
        if track_id is None:
            self.nameless.append(found)
            return
        self.lost.discard(track_id)
        if found.signature == self._deleted.get(track_id):
            return
        if self._full or found.signature != self._unreadable.get(track_id):
            self.tasks.append(found)


def _has_twin(root: str, path: str) -> bool:
    """Whether another file has the same name but for its Unicode form: the composed one counts."""
    if path.isascii():
        return False
    composed = filename_of(path)
    if composed == path:
        return False
    try:
        return not Path(root, path).samefile(Path(root, composed))
    except OSError:
        return False


def _track_id(path: str) -> str | None:
    """None for a name that is no Unicode text."""
    try:
        return track_id_of(filename_of(path))
    except UnicodeEncodeError:
        return None
