"""How the present scan stands, for all processes (songs contract, 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from builtin_plugins.songs.rows import iso
from plugin_sdk import Clock, Database

__all__ = ["Mode", "ScanState"]

Mode = Literal["incremental", "full"]

_NAME: Final = "scan"
_DONE: Final = "scanned"
_STALE_MS: Final = 180_000
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


class ScanState:
    """One row that says everything: whether a run is on, how far it is, what shall follow it.

    Whoever asks for a run and whoever ends one do so in transactions, so no wish is lost.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def status(self) -> dict[str, Any]:
        """The answer of ``GET /api/scan-status``."""
        state = self._read()
        return {name: state[name] for name in _IDLE}

    def request(self, mode: Mode) -> bool:
        """Asks for a run. True when one is on: then another follows it. Otherwise it is noted as
        begun, and the caller has to see to it."""
        with self._db.transaction():
            state = self._read()
            if state["running"]:
                wished = state.get("next")
                state["next"] = "full" if "full" in (mode, wished) else mode
                self._write(state)
                return True
            self._write(self._begun(mode))
            return False

    def present(self) -> Mode | None:
        """The mode of the run that is on, None when none is."""
        state = self._read()
        mode: Mode = state["mode"]
        return mode if state["running"] else None

    def update(self, **changes: Any) -> None:
        """Notes progress; inside of a transaction or not."""
        with self._db.transaction():
            self._write({**self._read(), **changes})

    def add_failure(self, failures: list[dict[str, str]]) -> None:
        with self._db.transaction():
            state = self._read()
            state["failures"] = [*state["failures"], *failures][-_MAX_FAILURES:]
            self._write(state)

    def restart(self) -> None:
        """The same run from its beginning, after its process ended."""
        with self._db.transaction():
            state = self._read()
            self._write({**self._begun(state["mode"]), "next": state.get("next")})

    def finish(self, **changes: Any) -> Mode | None:
        """Ends the run. The mode of the next one, which is noted as begun, if one was wished."""
        with self._db.transaction():
            state = self._read()
            wished: Mode | None = state.pop("next", None)
            state |= {**changes, "running": False, "finishedAt": iso(self._clock.ms())}
            if state["status"] == "complete":
                self._db.table("states").upsert({"name": _DONE, "value": True})
            self._write(self._begun(wished) if wished is not None else state)
            return wished

    def reset(self) -> None:
        """Forgets the last run."""
        self._db.table("states").delete(_NAME)

    def stale(self) -> bool:
        """Whether a run is noted as on of which nothing was heard for long."""
        state = self._read()
        return bool(state["running"]) and self._clock.ms() - state["at"] > _STALE_MS

    def last_begun(self) -> int | None:
        """When the last run began, in milliseconds; None without one."""
        begun: int | None = self._read().get("begun")
        return begun

    def _begun(self, mode: Mode) -> dict[str, Any]:
        now = self._clock.ms()
        return {
            **_IDLE,
            "status": "listing",
            "stage": "listing",
            "running": True,
            "mode": mode,
            "isFirstScan": self._db.table("states").get(_DONE) is None,
            "startedAt": iso(now),
            "begun": now,
        }

    def _read(self) -> dict[str, Any]:
        row = self._db.table("states").get(_NAME)
        return {**_IDLE, "at": 0} if row is None else row["value"]

    def _write(self, state: Mapping[str, Any]) -> None:
        value = {**state, "at": self._clock.ms()}
        self._db.table("states").upsert({"name": _NAME, "value": value})
