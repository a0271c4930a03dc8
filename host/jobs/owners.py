"""Owners: the processes that run jobs. Each renews a lease on being alive.

Jobs carry their owner's id; what a dead owner was running goes back to the queue. An owner is
dead when its lease ran out, or at once when it was a process of this machine that is gone.
"""

from __future__ import annotations

import os
import platform
import uuid
from pathlib import Path
from typing import Final

from host.db.engine import HostDatabase
from host.jobs.schema import OWNERS
from host.processes import is_running
from plugin_sdk import Clock

__all__ = ["Owners", "process_gone", "this_machine", "this_process"]

_LIVE: Final = f"SELECT id, machine, process FROM {OWNERS} WHERE expires_at > :now"  # noqa: S608


def this_machine() -> str:
    """Names the space in which process ids are unique: machine, boot, and on Linux the PID
    namespace (containers that share a data directory have their own)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        boot = space = ""
    return f"{platform.node()}|{boot}|{space}"


def this_process() -> str:
    """``<pid> <start time>``: a process id alone is used again."""
    pid = os.getpid()
    return f"{pid} {_started(pid)}"


def process_gone(process: str) -> bool:
    """Whether a process of this machine is known to be over; False when that cannot be told."""
    if os.name != "posix":  # elsewhere os.kill(pid, 0) is no question
        return False
    pid_text, _, started = process.partition(" ")
    try:
        pid = int(pid_text)
        if not is_running(pid):
            return True
    except (ValueError, OverflowError):
        return False
    now_started = _started(pid)
    return bool(started and now_started) and started != now_started


def _started(pid: int) -> str:
    """When a process began, in clock ticks since the boot; empty where /proc is missing. A
    zombie counts as gone: its start time reads ``zombie``."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # the name before may contain anything
    return "zombie" if fields[0] in ("Z", "X") else fields[19]


class Owners:
    """The table of owners, and this process's row in it."""

    def __init__(self, database: HostDatabase, clock: Clock, lease_seconds: float) -> None:
        self.id = uuid.uuid4().hex
        self._database = database
        self._clock = clock
        self._lease_ms = round(lease_seconds * 1000)
        self._machine = this_machine()

    def enter(self) -> None:
        self._database.table(OWNERS).upsert(
            {
                "id": self.id,
                "machine": self._machine,
                "process": this_process(),
                "expires_at": self._clock.ms() + self._lease_ms,
            }
        )

    def renew(self) -> bool:
        """Renews the lease; False when others took this process for dead in the meantime."""
        lease = {"expires_at": self._clock.ms() + self._lease_ms}
        return self._database.table(OWNERS).update(self.id, lease)

    def leave(self) -> None:
        """Another process removes the row: so it learns that there may be something left."""
        self._database.table(OWNERS).update(self.id, {"expires_at": 0})

    def alive(self, owner: str) -> bool:
        """Whether this owner's lease is valid and its process not known to be gone."""
        return owner in self.living()

    def living(self) -> set[str]:
        """All owners that live."""
        return {
            row["id"]
            for row in self._database.query(_LIVE, {"now": self._clock.ms()})
            if row["machine"] != self._machine or not process_gone(row["process"])
        }

    def some_dead(self) -> bool:
        """Whether there are rows of owners that are dead."""
        return bool(self._dead())

    def bury(self) -> list[str]:
        """Removes the rows of dead owners; returns their ids. To be called in the transaction
        that takes their jobs."""
        dead = self._dead()
        for owner in dead:
            self._database.table(OWNERS).delete(owner)
        return dead

    def _dead(self) -> list[str]:
        living = self.living() | {self.id}
        rows = self._database.query(f"SELECT id FROM {OWNERS}")  # noqa: S608 (a constant)
        return [row["id"] for row in rows if row["id"] not in living]
