"""What is known of the folders that come next, asked for at one go (media contract, 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from builtin_plugins.media.folder_memory import FolderMemory, Remembered
from builtin_plugins.media.folder_plan import KindOfScan, Known

__all__ = ["KnownAhead"]

_NO_FILES: Final[Known] = {}


class KnownAhead:
    """Of a folder that is remembered the files are asked for only when it turns out to be another
    one by now."""

    def __init__(self, scan: KindOfScan, memory: FolderMemory, library_id: str) -> None:
        self._scan = scan
        self._memory = memory
        self._library_id = library_id
        self._forgotten = memory.forgotten
        self._remembered: Mapping[str, Remembered] = {}
        self._known: Mapping[str, Known] = {}

    def read(self, folders: Sequence[str]) -> None:
        self._forgotten = self._memory.forgotten
        self._remembered = self._memory.recall(self._library_id, folders)
        others = [name for name in folders if name not in self._remembered]
        self._known = self._scan.known(self._library_id, others) if others else {}

    def remembered(self, folder: str) -> Remembered | None:
        return None if self._is_stale else self._remembered.get(folder)

    def files(self, folder: str) -> Known:
        if folder in self._remembered or self._is_stale:
            return self._scan.known(self._library_id, [folder]).get(folder, _NO_FILES)
        return self._known.get(folder, _NO_FILES)

    @property
    def _is_stale(self) -> bool:
        return self._forgotten != self._memory.forgotten
