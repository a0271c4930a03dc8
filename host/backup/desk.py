"""Backups that are managed while the host runs: a folder of archives, and a restore that waits for
the next start, because nothing may work on data that are being exchanged."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from host.backup.archive import Archive, Progress
from host.backup.restoring import refuse_unfit, restore
from host.backup.taking import take_backup
from host.config import Config
from plugin_sdk import Conflict, Invalid, NotFound, StageboxError
from plugin_sdk.operations import BackupFile, BackupManagement, BackupSummary, RestoreOutcome

__all__ = ["BackupDesk", "restore_pending"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.zip")
_FOLDER: Final = "backups"
_PENDING: Final = ".pending.json"
_OUTCOME: Final = ".outcome.json"


class BackupDesk(BackupManagement):
    """``host.backups``: archives in ``<data-dir>/backups``."""

    def __init__(self, config: Config, env: Mapping[str, str]) -> None:
        self._config = config
        self._env = env
        self._folder = config.data_dir / _FOLDER

    def entries(self) -> Sequence[BackupFile]:
        found = [
            self._entry(path)
            for path in (self._folder.iterdir() if self._folder.is_dir() else ())
            if _NAME.fullmatch(path.name) and path.is_file()
        ]
        return sorted(found, key=lambda each: (each.modified_at, each.name), reverse=True)

    def take(self, name: str, progress: Progress) -> BackupFile:
        path = self._new(name)
        take_backup(self._config, self._env, path, progress)
        return self._entry(path)

    def add(self, name: str, source: Path) -> BackupFile:
        path = self._new(name)
        with Archive(source):
            pass
        source.chmod(0o600)
        source.replace(path)
        return self._entry(path)

    def path(self, name: str) -> Path:
        path = self._folder / name
        if not _NAME.fullmatch(name) or not path.is_file():
            raise NotFound(f'There is no backup "{name[:100]}".')
        return path

    def summary(self, name: str) -> BackupSummary:
        with Archive(self.path(name)) as archive:
            manifest = archive.manifest
        return BackupSummary(
            created=manifest.created,
            version=manifest.version,
            databases=len(manifest.of_kind("database")),
            files=len(manifest.of_kind("file")),
            blobs=len(manifest.of_kind("blob")),
            size=manifest.size,
        )

    def delete(self, name: str) -> None:
        path = self.path(name)
        if self.pending() == name:
            raise Conflict(f'"{name}" is put in place at the next start; it cannot be deleted now.')
        path.unlink()

    def restore(self, name: str, progress: Progress) -> None:
        path = self.path(name)
        with Archive(path) as archive:
            refuse_unfit(archive.manifest)
            archive.check(progress)
        _write(self._folder / _PENDING, {"name": name})

    def pending(self) -> str | None:
        return _pending(self._folder)

    def last_restore(self) -> RestoreOutcome | None:
        outcome = _read(self._folder / _OUTCOME)
        return RestoreOutcome(**outcome) if outcome else None

    def _new(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Invalid(
                f'"{name[:100]}" is no name for a backup: letters, digits, ".", "_" and "-", '
                "with .zip at the end."
            )
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / name
        if path.exists():
            raise Conflict(f'There is a backup "{name}" already.')
        return path

    @staticmethod
    def _entry(path: Path) -> BackupFile:
        status = path.stat()
        return BackupFile(path.name, status.st_size, status.st_mtime_ns // 1_000_000)


def restore_pending(
    config: Config, env: Mapping[str, str], progress: Progress
) -> RestoreOutcome | None:
    """Puts the archive in place that an administrator chose while the host ran; None when none
    was. Nothing else may work on the data. Never raises: the outcome tells, and is kept."""
    folder = config.data_dir / _FOLDER
    name = _pending(folder)
    if name is None:
        return None
    try:
        done = restore(config, env, folder / name, progress, replace_data=True)
        succeeded = True
        message = (
            f"{done.databases} databases, {done.files} files and {done.blobs} blobs of "
            f"{done.created} are back."
        )
    except (StageboxError, OSError) as error:
        reason = error.message if isinstance(error, StageboxError) else f"{error}."
        succeeded, message = False, f"{reason} The data are those from before."
    outcome = {
        "name": name,
        "succeeded": succeeded,
        "message": message,
        "at": int(time.time() * 1000),
    }
    _write(folder / _OUTCOME, outcome)
    (folder / _PENDING).unlink(missing_ok=True)
    return RestoreOutcome(name, succeeded, message, int(time.time() * 1000))


def _pending(folder: Path) -> str | None:
    document = _read(folder / _PENDING)
    name = document.get("name") if document else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or one that a crash cut
        return None
    return document if isinstance(document, dict) else None


def _write(path: Path, document: Mapping[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(document), encoding="utf-8")
    part.replace(path)
