# ruff: noqa: S608 (only names of placeholders are put together; values are bound)
"""Mesh gradients: computed when somebody looks, kept, never during a scan (media contract, 9)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final

from builtin_plugins.media.artwork import Pictures, checked_picture
from builtin_plugins.media.statements import named_list
from builtin_plugins.media.swatches import colours
from plugin_sdk import Clock, Database, Logger, Row, StageboxError

__all__ = ["Gradients"]

DETAIL_SECONDS: Final = 2.0
LIST_SECONDS: Final = 1.0
_AT_ONCE: Final = 2
_MAX_WAITING: Final = 1000
_DELAYS_MS: Final = (60_000, 300_000, 3_600_000, 86_400_000)
_KNOWN: Final = (
    "SELECT colors FROM media WHERE id = :id AND COALESCE(poster_url, backdrop_url) = :url"
)
_Computed = Future["list[str]"]


class Gradients:
    """One computation of each media at a time, two in all, on threads of their own."""

    def __init__(self, database: Database, pictures: Pictures, clock: Clock, log: Logger) -> None:
        self._db = database
        self._pictures = pictures
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._running: dict[str, _Computed] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    def complete(self, items: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Puts colours that are missing into items that carry ``media``, as far as they are
        there within so many seconds; the others come later."""
        deadline = time.monotonic() + seconds
        wanted: dict[str, list[dict[str, Any]]] = {}
        for item in items:
            media = item["media"]
            if not media["meshGradientColors"] and (media["posterUrl"] or media["backdropUrl"]):
                wanted.setdefault(media["id"], []).append(media)
        if not wanted:
            return
        futures = {row["id"]: self._begin(row) for row in self._missing(list(wanted))}
        begun = {media_id: future for media_id, future in futures.items() if future is not None}
        done, _ = wait(begun.values(), timeout=max(0.0, deadline - time.monotonic()))
        for media_id, future in begun.items():
            if future in done and not future.cancelled():
                for media in wanted[media_id]:
                    media["meshGradientColors"] = list(future.result())

    def close(self) -> None:
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _missing(self, media_ids: Sequence[str]) -> list[Row]:
        names, values = named_list("m", media_ids)
        rows = self._db.query(
            "SELECT id, poster_url, backdrop_url, metadata_provider, colors_failures,"
            f" colors_failed_at FROM media WHERE id IN ({names}) AND colors IS NULL",
            values,
        )
        now = self._clock.ms()
        return [row for row in rows if _is_due(row, now)]

    def _begin(self, row: Row) -> _Computed | None:
        with self._lock:
            known = self._running.get(row["id"])
            if known is not None:
                return known
            if self._closed or len(self._running) >= _MAX_WAITING:
                return None
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="media-colours")
            future = self._pool.submit(self._compute, row)
            self._running[row["id"]] = future
        future.add_done_callback(lambda _future: self._forget(row["id"]))
        return future

    def _forget(self, media_id: str) -> None:
        with self._lock:
            self._running.pop(media_id, None)

    def _compute(self, row: Row) -> list[str]:
        """Never raises: a failure is noted, and tried again later."""
        url = row["poster_url"] or row["backdrop_url"]
        try:
            known = self._db.value(_KNOWN, {"id": row["id"], "url": url})
            if known is not None:  # by a computation that ended after the row was read
                return list(json.loads(known))
            content = self._pictures.read(url, row["metadata_provider"] or "")
            picture, _ = checked_picture(content)
            found = colours(picture)
            self._store(row["id"], url, {"colors": json.dumps(found), "colors_failures": 0})
            return found
        except (StageboxError, ValueError, OSError, MemoryError) as error:
            self._log.info("Colours of a picture could not be computed: %s", error)
        except Exception:
            self._log.exception("Colours of a picture could not be computed.")
        failures = row["colors_failures"] + 1
        try:
            values = {"colors_failures": failures, "colors_failed_at": self._clock.ms()}
            self._store(row["id"], url, values)
        except StageboxError as error:
            self._log.warning("A failure could not be noted: %s", error)
        return []

    def _store(self, media_id: str, url: str, values: Row) -> None:
        """Unless the picture is another one by now."""
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        self._db.execute(
            f"UPDATE media SET {assignments} WHERE id = :id"
            " AND COALESCE(poster_url, backdrop_url) = :url",
            {**values, "id": media_id, "url": url},
        )


def _is_due(row: Row, now: int) -> bool:
    failures = row["colors_failures"]
    if not failures or row["colors_failed_at"] is None:
        return True
    delay = _DELAYS_MS[min(failures, len(_DELAYS_MS)) - 1]
    return bool(now >= row["colors_failed_at"] + delay)
