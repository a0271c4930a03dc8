"""Looking at the disk: batch folders, and the files below one of them (media contract, 7.3)."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Final, NamedTuple

from builtin_plugins.media.patterns import PatternTooSlow
from builtin_plugins.media.scan_options import Rules
from plugin_sdk import Logger

_Directory = tuple[str, str, tuple[str, ...]]  # its path, its real path, the folders to it

__all__ = ["ROOT", "FolderFailed", "FoundFile", "Stopped", "Tree", "is_gone"]

ROOT: Final = "."
"""The pseudo-folder for files that lie directly in the root."""

FOLDER_SECONDS: Final = 300.0
LIST_SECONDS: Final = 600.0
_WAITS: Final = (1.0, 2.0)
_MOST_NS: Final = 2**63 - 1
"""Of times that databases hold: until 2262. A disk may claim later ones, by a flipped bit say."""


class FolderFailed(Exception):
    """A folder could not be read; the text names no path."""


class Stopped(Exception):
    """The scan is to stop now; it goes on later."""


class FoundFile(NamedTuple):
    """``folders`` lead from below the root to the file; ``resolved`` is the path without links."""

    path: str
    resolved: str
    folders: tuple[str, ...]
    name: str
    size: int
    mtime_ns: int


def is_gone(path: str) -> bool:
    """Whether there is surely no such file any more."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 (many, and quickly)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # a disk that does not answer is no proof
        return False


class Tree:
    """A scan root as one job sees it: real directories are entered once in a job."""

    def __init__(self, root: str, rules: Rules, log: Logger, wait: Callable[[float], bool]) -> None:
        """``wait`` sleeps for seconds and says whether to go on."""
        self.root = root
        self._rules = rules
        self._log = log
        self._wait = wait
        self._real_root = os.path.realpath(root)
        self._visited = {self._real_root}
        self._entered: list[str] = []  # what an attempt at a folder added to it
        self._plain: set[str] = set()  # folders that were no links when they were listed
        self.skipped = 0
        """Files with names that no text can hold, in the folder walked last."""

    def remember(self, folders: Iterable[str]) -> None:
        """Directories that an earlier run of the job has walked: they are not entered again."""
        self._visited.update(os.path.realpath(folder) for folder in folders)

    def batch_folders(self) -> tuple[list[str], bool]:
        """The names of the batch folders, and whether the root has any entry at all. Raises
        OSError when it cannot be listed, FolderFailed when that takes too long."""
        deadline = time.monotonic() + LIST_SECONDS
        folders: list[str] = []
        films, entries = False, False
        with os.scandir(self.root) as listing:
            for entry in listing:
                entries = True
                if time.monotonic() > deadline:
                    raise FolderFailed("Listing the scan root took longer than 10 minutes")
                if not _is_text(entry.name):
                    continue
                linked = entry.is_symlink()
                if _leads_on(entry, follow=self._rules.follow) if linked else entry.is_dir():
                    if self._rules.enters(entry.name) and self._rules.begins_with(entry.name):
                        folders.append(entry.name)
                        if not linked:
                            self._plain.add(entry.name)
                elif not films and self._rules.is_film(entry.name):
                    real = self._real_root
                    films = self._film(entry, self.root, real, (), linked=linked) is not None
        folders.sort()
        return ([ROOT] if films else []) + folders, entries

    def files(self, folder: str) -> list[FoundFile]:
        """Films and episodes in a batch folder, in the order of their paths. Raises FolderFailed
        after three attempts, Stopped."""
        for attempt in range(len(_WAITS) + 1):
            self._entered.clear()
            try:
                return self._files(folder)
            except FileNotFoundError:
                raise FolderFailed("The folder does not exist any more") from None
            except PatternTooSlow as slow:
                raise FolderFailed(str(slow)) from None
            except OSError as error:
                if attempt == len(_WAITS):
                    raise FolderFailed(error.strerror or "The folder cannot be read") from None
                self._visited.difference_update(self._entered)
                if not self._wait(_WAITS[attempt]):
                    raise Stopped from None
        raise AssertionError

    def _files(self, folder: str) -> list[FoundFile]:
        self.skipped = 0
        deadline = time.monotonic() + FOLDER_SECONDS
        found: list[FoundFile] = []
        if folder == ROOT:
            found.extend(self._listed(self.root, self._real_root, (), None, deadline))
        else:
            path, real = self._place(folder)
            if self._enter(real):
                self._walk(path, real, folder, deadline, found)
        found.sort(key=itemgetter(0))
        return found

    def _place(self, folder: str) -> tuple[str, str]:
        """The path of a batch folder, and its real path. Raises FileNotFoundError when it is no
        directory any more."""
        path, real = _below(self.root, folder), _below(self._real_root, folder)
        if folder in self._plain:
            self._plain.remove(folder)  # should it be one no more, the next attempt looks closer
            return path, real
        facts = os.lstat(path)
        if self._rules.follow and stat.S_ISLNK(facts.st_mode):
            real, facts = os.path.realpath(path), os.stat(path)  # noqa: PTH116
        if not stat.S_ISDIR(facts.st_mode):
            raise FileNotFoundError
        return path, real

    def _enter(self, real: str) -> bool:
        """Whether a directory is to be walked: none is a second time."""
        if real in self._visited:
            return False
        self._visited.add(real)
        self._entered.append(real)
        return True

    def _walk(
        self, path: str, real: str, folder: str, deadline: float, found: list[FoundFile]
    ) -> None:
        waiting: list[_Directory] = [(path, real, (folder,))]
        while waiting:
            path, real, folders = waiting.pop()
            below: list[_Directory] = []
            deeper = below if len(folders) <= self._rules.depth else None
            found.extend(self._listed(path, real, folders, deeper, deadline))
            waiting.extend(reversed(below))

    def _listed(
        self,
        path: str,
        real: str,
        folders: tuple[str, ...],
        below: list[_Directory] | None,
        deadline: float,
    ) -> Iterator[FoundFile]:
        """The films of one directory; its sub-directories are added to ``below``."""
        rules = self._rules
        directories: list[tuple[str, bool]] = []
        with _opened(real) as opened:
            with os.scandir(opened) as listing:
                entries = list(listing)
            if time.monotonic() > deadline:
                raise FolderFailed("Reading the folder took longer than 5 minutes")
            for entry in entries:
                name = entry.name
                linked = entry.is_symlink()
                if _leads_on(entry, follow=rules.follow) if linked else entry.is_dir():
                    if below is not None and _is_text(name) and rules.enters(name):
                        directories.append((name, linked))
                elif rules.is_film(name):
                    film = self._film(entry, path, real, folders, linked=linked)
                    if film is not None:
                        yield film
        # In order, so that of two links to one directory it is always the same that leads there.
        for name, linked in sorted(directories):
            leading, inner = _below(path, name), _below(real, name)
            if linked:
                inner = os.path.realpath(leading)
            if below is not None and self._enter(inner):
                below.append((leading, inner, (*folders, name)))

    def _film(
        self,
        entry: os.DirEntry[str],
        folder: str,
        real: str,
        folders: tuple[str, ...],
        *,
        linked: bool,
    ) -> FoundFile | None:
        """``folder`` is the path of the directory that the entry is in, ``real`` its real path."""
        rules = self._rules
        if not _is_text(entry.name):
            self.skipped += 1
            self._log.warning("A file whose name is not UTF-8 was left out.")
            return None
        if rules.picky and not rules.wants("/".join((*folders, entry.name))):
            return None
        try:
            facts = entry.stat()
        except FileNotFoundError:  # a dangling link, or gone since the listing
            return None
        except OSError:
            if linked:
                return None
            raise
        if not stat.S_ISREG(facts.st_mode) or not rules.fits(facts.st_size):
            return None
        path = _below(folder, entry.name)
        resolved = path if folder == real else _below(real, entry.name)
        if linked:
            resolved = os.path.realpath(path)
            if not rules.follow and not resolved.startswith(self._real_root.rstrip("/") + "/"):
                return None
        if resolved is not path and not _is_text(resolved):
            return None
        mtime_ns = min(max(facts.st_mtime_ns, -_MOST_NS), _MOST_NS)
        return FoundFile(path, resolved, folders, entry.name, facts.st_size, mtime_ns)


@contextmanager
def _opened(real: str) -> Iterator[int | str]:
    """A directory as `os.scandir` takes it: open where it can, for then what is in it need not be
    looked for by its whole path, one file after the other. ``real`` ends in no link; what has
    become one meanwhile is not followed."""
    if os.scandir not in os.supports_fd:
        yield real
        return
    opened = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        yield opened
    finally:
        os.close(opened)


def _below(path: str, name: str) -> str:
    return f"{path}{name}" if path.endswith("/") else f"{path}/{name}"


def _leads_on(link: os.DirEntry[str], *, follow: bool) -> bool:
    """Whether a link leads to a directory. One that leads in a circle, or to where we may not
    look, leads nowhere: it must not cost the folder that it lies in."""
    try:
        return link.is_dir(follow_symlinks=follow)
    except OSError:
        return False


def _is_text(name: str) -> bool:
    """Whether a name is text at all: the database keeps no others."""
    return name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name)
