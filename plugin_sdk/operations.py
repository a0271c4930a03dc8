"""Services of the host for whoever runs it: jobs of all plugins, backups, the process itself.

Like those of `plugin_sdk.management` they are handed out to bundled plugins only:

* ``host.jobs``: `JobManagement`
* ``host.backups``: `BackupManagement`, while the host serves
* ``host.process``: `HostProcess`, where the process can start itself anew
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plugin_sdk.jobs import JobInfo, JobState

__all__ = [
    "BackupFile",
    "BackupManagement",
    "BackupSummary",
    "HostProcess",
    "JobManagement",
    "RestoreOutcome",
]

Progress = Callable[[str, int, int], object]
"""(what is being done, bytes done, bytes in all or 0 when that is not known)"""


class JobManagement(Protocol):
    """``host.jobs``."""

    def entries(
        self,
        *,
        plugin_id: str | None = None,
        state: JobState | None = None,
        limit: int = 100,
    ) -> Sequence[JobInfo]:
        """Newest first, at most 1,000."""
        ...

    def entry(self, job_id: str) -> JobInfo:
        """Raises NotFound."""
        ...

    def cancel(self, job_id: str) -> bool:
        """Asks a job to stop; False when it was over. Raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class BackupFile:
    """An archive in the host's folder of backups. ``size`` in bytes, ``modified_at`` in
    milliseconds since the epoch."""

    name: str
    size: int
    modified_at: int


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What an archive says of itself: when (ISO 8601) and by which version it was made, and how
    many databases, files and blobs it holds; ``size`` in bytes, unpacked."""

    created: str
    version: str
    databases: int
    files: int
    blobs: int
    size: int


@dataclass(frozen=True, slots=True)
class RestoreOutcome:
    """How a restore that was asked for ended; ``at`` in milliseconds since the epoch. After a
    failure the data are those from before."""

    name: str
    succeeded: bool
    message: str
    at: int


class BackupManagement(Protocol):
    """``host.backups``: the archives in one folder of this machine, by file name."""

    def entries(self) -> Sequence[BackupFile]:
        """Newest first."""
        ...

    def take(self, name: str, progress: Progress) -> BackupFile:
        """Writes everything that the host keeps into a new archive, which appears under its name
        when it is complete. Raises Invalid for a name that is none, Conflict for one that is
        taken, Unavailable when it cannot be written."""
        ...

    def add(self, name: str, source: Path) -> BackupFile:
        """Takes over an archive from elsewhere: ``source`` is moved. Raises Invalid for a file that
        is no backup; Conflict."""
        ...

    def path(self, name: str) -> Path:
        """Where an archive lies. Raises NotFound."""
        ...

    def summary(self, name: str) -> BackupSummary:
        """Raises NotFound; Invalid for a file that is no backup, or damaged at first sight."""
        ...

    def delete(self, name: str) -> None:
        """Raises NotFound; Conflict for one that is waiting to be restored."""
        ...

    def restore(self, name: str, progress: Progress) -> None:
        """Checks a whole archive, and notes that it shall take the place of all data when the host
        starts the next time; nothing is changed before. Raises NotFound, Invalid; Conflict for an
        archive of a newer version."""
        ...

    def pending(self) -> str | None:
        """The archive that the next start puts in place."""
        ...

    def last_restore(self) -> RestoreOutcome | None:
        """How the last one ended, if there ever was one."""
        ...


class HostProcess(Protocol):
    """``host.process``."""

    def restart(self) -> None:
        """Has the host finish what is under way, stop, and start again with the same arguments.
        Returns at once."""
        ...
