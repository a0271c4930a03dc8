"""What providers answered about the folder in hand, kept until the folder is stored: a scan that
is stopped or killed in between asks for none of it a second time."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final

from builtin_plugins.media.catalogue import Artwork
from builtin_plugins.media.chain import Found, SeasonFound
from plugin_sdk import Database, EpisodeMetadata, MediaMetadata, Person, Row, SeasonMetadata

__all__ = ["Answer", "KeptAnswers", "Key"]

Key = tuple[Any, ...]
_DATES: Final = ("release_date", "air_date")


@dataclass(frozen=True, slots=True)
class Answer:
    """``artwork`` is None where nothing of the details is to be stored: they are already."""

    found: Found
    artwork: Artwork | None = None

    @property
    def metadata(self) -> MediaMetadata | None:
        return self.found.metadata


class KeptAnswers:
    """Of one job. Noted by several threads, written by the one that scans; errors are not kept."""

    def __init__(self, database: Database, job: Row) -> None:
        self._db = database
        self._job = job
        self._lock = threading.Lock()
        self._noted: dict[Key, Answer | SeasonFound] = {}
        self._held: dict[str, str] | None = None
        self._written = False

    def answer(self, key: Key) -> Answer | None:
        """Without artwork when the scan stopped before that was fetched."""
        held = self._find(key)
        return None if held is None else _answer(held)

    def season(self, key: Key) -> SeasonFound | None:
        held = self._find(key)
        return None if held is None else SeasonFound(_season(held["season"]))

    def note(self, key: Key, value: Answer | SeasonFound) -> None:
        outcome = value.found if isinstance(value, Answer) else value
        if not outcome.error:
            with self._lock:
                self._noted[key] = value

    def write(self) -> None:
        """Unless the job was ended, or is another worker's."""
        with self._lock:
            noted, self._noted = self._noted, {}
        rows = [
            {"job_id": self._job["id"], "key": repr(key), "answer": text}
            for key, value in noted.items()
            if (text := _text(value)) is not None
        ]
        if not rows:
            return
        mine = {"id": self._job["id"], "run": self._job["run"]}
        with self._db.transaction():
            alive = self._db.value(
                "SELECT 1 FROM scan_job WHERE id = :id AND"
                " (status = 'PAUSED' OR (status = 'IN_PROGRESS' AND run = :run))",
                mine,
            )
            if alive is not None:
                self._db.table("kept_answer").upsert_all(rows)
                self._written = True

    def forget(self, *, all_runs: bool = False) -> None:
        """Inside the transaction that stores what was asked for. ``all_runs``: also what an
        earlier run left and nobody asked for again."""
        with self._lock:
            self._noted.clear()
        if self._written or self._held or all_runs:
            self._db.table("kept_answer").delete_where("job_id = :id", {"id": self._job["id"]})
            self._held, self._written = {}, False

    def read(self) -> None:
        """What an earlier run of the job left; before the first answer is asked for."""
        if self._held is None:
            rows = self._db.query(
                "SELECT key, answer FROM kept_answer WHERE job_id = :id", {"id": self._job["id"]}
            )
            self._held = {row["key"]: row["answer"] for row in rows}

    def _find(self, key: Key) -> dict[str, Any] | None:
        text = (self._held or {}).get(repr(key))
        return None if text is None else json.loads(text)


def _text(value: Answer | SeasonFound) -> str | None:
    """None for what a provider gave that is something else than was agreed."""
    try:
        return json.dumps(value, default=_plain)
    except (TypeError, ValueError):
        return None


def _plain(value: Any) -> Any:
    """Objects by the names of their fields; raises TypeError."""
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, Mapping):
        return dict(value)
    return {each.name: getattr(value, each.name) for each in fields(value) if each.name != "extra"}


def _made(of: Mapping[str, Any]) -> dict[str, Any]:
    """With dates where dates belong; what is none was none before."""
    made = dict(of)
    for name in _DATES:
        if isinstance(made.get(name), str):
            try:
                made[name] = date.fromisoformat(made[name])
            except ValueError:
                made[name] = None
    return made


def _answer(held: Mapping[str, Any]) -> Answer:
    found, artwork = held["found"], held["artwork"]
    if found["metadata"] is not None:
        metadata = _made(found["metadata"])
        metadata["genres"] = tuple(metadata["genres"])
        metadata["people"] = tuple(Person(**each) for each in metadata["people"])
        found = {**found, "metadata": MediaMetadata(**metadata)}
    return Answer(Found(**found), None if artwork is None else Artwork(**artwork))


def _season(held: Mapping[str, Any] | None) -> SeasonMetadata | None:
    if held is None:
        return None
    season = _made(held)
    season["episodes"] = tuple(EpisodeMetadata(**_made(each)) for each in season["episodes"])
    return SeasonMetadata(**season)
