"""How the present scan stands, for all processes (songs contract, 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal

from builtin_plugins.songs.deletions import Deletions
from builtin_plugins.songs.rows import iso
from plugin_sdk import Clock, Database

__all__ = ["BEAT_SECONDS", "Cancelled", "Mode", "ScanState"]

Mode = Literal["incremental", "full"]

_NAME: Final = "scan"
_DONE: Final = "scanned"
_FOLDER: Final = "folder"
BEAT_SECONDS: Final = 5.0
"""A run is heard of at least so often."""
_SILENT_MS: Final = 30_000
_COUNTERS: Final = ("added", "changed", "removed", "unchanged", "failed")
_MAX_FAILURES: Final = 100
_IDLE: Final[Mapping[str, Any]] = {
    "status": "idle",
    "stage": "idle",
    "current": "",
    "done": 0,
    "total": 0,
    "running": False,
    "mode": "incremental",
    "isFirstScan": False,
    **dict.fromkeys(_COUNTERS, 0),
    "failures": [],
    "error": None,
    "startedAt": None,
    "finishedAt": None,
}
_NEVER: Final[Mapping[str, Any]] = {
    **_IDLE,
    "at": 0,
    "begun": None,
    "command": None,
    "life": "",
    "returning": 0,
    "nextReturning": 0,
    "formats": [],
}


class Cancelled(Exception):
    """The run is to stop; whoever began it begins it again."""


class ScanState:
    """One row that says everything: whether a run is on, how far it is, what shall follow it.

    Whoever asks for a run and whoever ends one do so in transactions, so no wish is lost. What
    the row says holds for one ``life`` of the service, so that a start need not remove it: it
    would meet the first run of that start. Of a run that is on something is heard all the time,
    or ``awaited`` says that a job for it waits or runs; otherwise it counts as over.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        life: Callable[[], str],
        awaited: Callable[[], bool],
        gone: Callable[[str], bool],
    ) -> None:
        self._db = db
        self._clock = clock
        self._life = life
        self._awaited = awaited
        self._gone = gone

    def status(self) -> dict[str, Any]:
        """The answer of ``GET /api/scan-status``."""
        state = self._held()
        return {name: state[name] for name in _IDLE}

    def request(self, mode: Mode, *, command: str | None = None) -> bool:
        """Asks for a run. True when one is on: then another follows it. Otherwise it is noted as
        begun, and the caller has to see to it. ``command``: it runs without a job, in the process
        of this mark (`Presence`)."""
        with self._db.transaction():
            state = self._read()
            returning = Deletions(self._db).latest() if mode == "full" else 0
            if state["running"]:
                wishes = {mode, state.get("next")}
                next_returning = max(returning, state["nextReturning"])
                if self._holds(state):
                    state |= {"next": _widest(wishes), "nextReturning": next_returning}
                    self._write(state)
                    return True
                if state["life"] == self._life():  # what was promised then is done now
                    mode = _widest({*wishes, state["mode"]})
                    returning = max(next_returning, state["returning"])
            self._write(self._begun(mode, returning, command=command))
            return False

    def present(self) -> Mode | None:
        """The mode of the run that is on, None when none is."""
        state = self._held()
        mode: Mode = state["mode"]
        return mode if state["running"] else None

    def returning(self) -> int:
        """Up to which number a full run brings back deletions: what was deleted since it was
        asked for stays so, however often the run is interrupted."""
        returning: int = self._held()["returning"]
        return returning

    def formats(self) -> frozenset[str]:
        """Whose songs the full run that is on reads; nobody's before it has begun to look."""
        return frozenset(self._held()["formats"])

    def abandoned(self) -> bool:
        """Whether a run was asked for in this life of the service that nobody sees to."""
        state = self._read()
        same = state["life"] == self._life()
        return same and bool(state["running"]) and not self._holds(state)

    def interrupted(self, attempt: int) -> bool:
        """Whether the run that is on was begun by a process or in a life that is over; of the job
        that goes on with it this is the given attempt."""
        state = self._read()
        return attempt > 1 or state["life"] != self._life() or state["status"] != "listing"

    def update(self, **changes: Any) -> None:
        """Notes progress; inside of a transaction or not. Without changes: a sign of life."""
        with self._db.transaction():
            self._write({**self._read(), **changes})

    def add_failure(self, failures: list[dict[str, str]]) -> None:
        with self._db.transaction():
            state = self._read()
            state["failures"] = [*state["failures"], *failures][-_MAX_FAILURES:]
            self._write(state)

    def restart(self) -> None:
        """The same run once more, after its process ended; perhaps in another life."""
        with self._db.transaction():
            state = self._read()
            again = self._begun(state["mode"], state["returning"], command=None)
            again |= {name: state[name] for name in ("begun", "startedAt", "nextReturning")}
            if "next" in state:
                again["next"] = state["next"]
            self._write(again)

    def finish(self, **changes: Any) -> Mode | None:
        """Ends the run. The mode of the next one, which is noted as begun, if one was wished."""
        with self._db.transaction():
            state = self._read()
            wished: Mode | None = state.pop("next", None)
            state |= {**changes, "running": False, "finishedAt": iso(self._clock.ms())}
            if state["status"] == "complete":
                self._db.table("states").upsert({"name": _DONE, "value": True})
            if wished is not None:
                state = self._begun(wished, state["nextReturning"], command=state["command"])
            self._write(state)
            return wished

    def notice_folder(self, folder: str) -> bool:
        """Whether the song folder is another one than was noticed last: all processes hear of a
        change, and one of them sees to it."""
        with self._db.transaction():
            row = self._db.table("states").get(_FOLDER)
            self._db.table("states").upsert({"name": _FOLDER, "value": folder})
        return row is None or row["value"] != folder

    def reset(self) -> None:
        """Forgets the last run."""
        self._db.table("states").delete(_NAME)

    def last_begun(self) -> int | None:
        """When the last run began, in milliseconds; None without one."""
        begun: int | None = self._held()["begun"]
        return begun

    def _begun(self, mode: Mode, returning: int, *, command: str | None) -> dict[str, Any]:
        now = self._clock.ms()
        return {
            **_NEVER,
            "status": "listing",
            "stage": "listing",
            "running": True,
            "mode": mode,
            "isFirstScan": self._db.table("states").get(_DONE) is None,
            "startedAt": iso(now),
            "begun": now,
            "command": command,
            "life": self._life(),
            "returning": returning,
        }

    def _held(self) -> dict[str, Any]:
        state = self._read()
        return state if self._holds(state) else dict(_NEVER)

    def _holds(self, state: Mapping[str, Any]) -> bool:
        same: bool = state["life"] == self._life()
        if not state["running"]:
            return same
        command = state["command"]
        here = same if command is None else not self._gone(command)
        heard = self._clock.ms() - state["at"] <= _SILENT_MS
        return (heard and here) or self._awaited()

    def _read(self) -> dict[str, Any]:
        row = self._db.table("states").get(_NAME)
        return {**_NEVER, **({} if row is None else row["value"])}

    def _write(self, state: Mapping[str, Any]) -> None:
        value = {**state, "at": self._clock.ms()}
        self._db.table("states").upsert({"name": _NAME, "value": value})


def _widest(wishes: Collection[Mode | None]) -> Mode:
    return "full" if "full" in wishes else "incremental"
