"""Taking a backup, beside a running server or without one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final, cast

from host.app import Host
from host.backup.archive import ArchiveWriter, Progress
from host.backup.hosts import quiet_host
from host.backup.manifest import Manifest, is_database_file
from host.config import Config
from host.db import ServedEngine, SqliteEngine
from host.disk import sync
from host.moving import carry
from host.plugins.discovery import is_plugin_id
from host.plugins.packages import code_files
from plugin_sdk import BlobInfo, NotFound, StorageProvider, Unavailable

__all__ = ["Taken", "take_backup"]

_PAGE: Final = 500
_SKIPPED: Final = frozenset({"__pycache__"})


@dataclass(frozen=True, slots=True)
class Taken:
    """What went into an archive; ``size`` in bytes, of the archive. ``left_out`` are paths that
    an archive cannot carry: links, pipes, names that are no text."""

    databases: int
    files: int
    blobs: int
    size: int
    left_out: Sequence[str]


def take_backup(config: Config, env: Mapping[str, str], file: Path, progress: Progress) -> Taken:
    """Writes everything but ``stagebox.toml`` and the logs into one archive, which appears under
    its name when it is complete.

    Databases are copied first, each in one consistent state (those of a PostgreSQL server all in
    the same); then come files and blobs, so that
    what the databases name is there unless it is deleted meanwhile. Raises ProviderUnavailable
    when the active storage does not answer, Unavailable when the archive cannot be written."""
    with quiet_host(config, env) as host:
        try:
            with _written_aside(file) as (part, copies):
                return _Taking(host, part, copies, progress).run()
        except OSError as error:
            raise Unavailable(
                f'The archive "{file}" cannot be written: {error.strerror or error}.'
            ) from error


@contextmanager
def _written_aside(file: Path) -> Iterator[tuple[Path, Path]]:
    """Where to write the archive and copies of databases: beside the file, which the archive
    replaces in the end."""
    folder = file.absolute().parent
    aside = Path(tempfile.mkdtemp(prefix=f".{file.name}.", dir=folder))
    try:
        yield aside / "archive", aside / "databases"
        (aside / "archive").replace(file)
        sync(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


class _Taking:
    """One backup; ``copies`` is a folder for copies of databases."""

    def __init__(self, host: Host, part: Path, copies: Path, progress: Progress) -> None:
        self._host = host
        self._part = part
        self._copies = copies
        self._progress = progress
        self._left_out: list[str] = []

    def run(self) -> Taken:
        host = self._host
        names = self._copy_databases()
        descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            writer = ArchiveWriter(file, self._progress)
            try:
                self._add_databases(writer, names)
                self._add_files(writer)
                self._add_blobs(writer)
                manifest = Manifest(
                    version=host.version,
                    created=datetime.now(UTC).isoformat(timespec="seconds"),
                    engine="sqlite",  # whatever it was: the format of the databases
                    storage=self._storage.name,
                    entries=tuple(writer.entries),
                )
                writer.finish(manifest)
            except BaseException:
                writer.abandon()
                raise
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        files, blobs = manifest.of_kind("file"), manifest.of_kind("blob")
        return Taken(len(names), len(files), len(blobs), size, self._left_out)

    @property
    def _storage(self) -> StorageProvider:
        storage: StorageProvider = self._host.registry.active("storage")
        return storage

    def _copy_databases(self) -> list[str]:
        engine = self._host.engine
        if engine.name == "postgresql":
            return self._convert_databases(cast("ServedEngine", engine))
        names = [name for name in ("host", *engine.names()) if engine.exists(name)]
        for name in names:
            self._progress(f"database of {name}", 0, 0)
            engine.open(name).copy_to(self._copies / f"{name}.db")
        return names

    def _convert_databases(self, server: ServedEngine) -> list[str]:
        """All databases of a server as of one time, as the files that SQLite would have: so an
        archive can be put back on either engine."""
        converted = []
        files = SqliteEngine(self._copies / "converted", "normal")
        try:
            with server.at_one_time() as engine:
                for name in [name for name in ("host", *engine.names()) if engine.exists(name)]:
                    self._progress(f"database of {name}", 0, 0)
                    if carry(engine.open(name), files.open(name), lambda *_: None):
                        files.open(name).copy_to(self._copies / f"{name}.db")
                        converted.append(name)
                    files.drop(name)
        finally:
            files.close()
        return converted

    def _add_databases(self, writer: ArchiveWriter, names: Sequence[str]) -> None:
        for name in names:
            copy = self._copies / f"{name}.db"
            with copy.open("rb") as stream:
                writer.add("database", f"databases/{name}.db", name, stream)
            copy.unlink()

    # Files

    def _add_files(self, writer: ArchiveWriter) -> None:
        for path, relative in self._files():
            try:
                with path.open("rb") as stream:
                    mode = os.fstat(stream.fileno()).st_mode & 0o777
                    name = f"plugins/{relative}"
                    writer.add("file", name, str(relative), stream, mode=mode)
            except FileNotFoundError:  # it was there a moment ago
                continue

    def _files(self) -> Iterator[tuple[Path, PurePosixPath]]:
        """Files of all plugins, without databases. Of the plugin that stores the blobs only the
        code: what else it keeps are those blobs, which travel one by one."""
        folders = self._host.folders
        owner = self._host.registry.owner_of_active("storage")
        for folder in sorted(folders.iterdir()):
            if not folder.is_dir() or not is_plugin_id(folder.name):
                continue
            tops = code_files(folder) if folder.name == owner else [folder]
            for top in tops:
                yield from self._below(top, folders)

    def _below(self, top: Path, folders: Path) -> Iterator[tuple[Path, PurePosixPath]]:
        pending = [top]
        while pending:
            path = pending.pop()
            relative = PurePosixPath(path.relative_to(folders))
            if path.name in _SKIPPED or is_database_file(relative):
                continue
            if path.is_dir() and not path.is_symlink():
                pending += sorted(path.iterdir(), reverse=True)
            elif path.is_symlink() or not path.is_file() or not _is_text(str(relative)):
                self._left_out.append(ascii(str(relative))[1:-1])
            else:
                yield path, relative

    # Blobs

    def _add_blobs(self, writer: ArchiveWriter) -> None:
        storage = self._storage
        for number, info in enumerate(_all_blobs(storage), 1):
            try:
                stream = storage.open(info.key)
            except NotFound:  # deleted since it was listed
                continue
            with stream:
                name = f"blobs/{number:09d}"
                writer.add("blob", name, info.key, stream, content_type=info.content_type)


def _all_blobs(storage: StorageProvider) -> Iterator[BlobInfo]:
    after: str | None = None
    while page := storage.list("", after=after, limit=_PAGE):
        yield from page
        after = page[-1].key


def _is_text(path: str) -> bool:
    """Whether a path can stand in the archive, and be unpacked from it."""
    return not any(c < " " or c in "\\\x7f" or "\ud800" <= c <= "\udfff" for c in path)
