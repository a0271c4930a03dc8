"""Look-ups of one job: in parallel, each once, artwork included (media contract, 7.5, 8.2)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import Any, Final

from builtin_plugins.media.artwork import Pictures
from builtin_plugins.media.catalogue import Artwork, Catalogue
from builtin_plugins.media.chain import Chain, SeasonFound
from builtin_plugins.media.discovery import Stopped
from builtin_plugins.media.kept_answers import Answer, KeptAnswers, Key
from builtin_plugins.media.names import Named, folded
from plugin_sdk import MediaMetadata, MediaQuery

__all__ = ["Answer", "Key", "Lookups", "key_of"]

PARALLEL: Final = 8
_SEASONS: Final = 64
_KEEP_SECONDS: Final = 1.0


def key_of(named: Named) -> Key:
    """Equal look-ups have equal keys: the same ids, else the same title and year."""
    if named.ids:
        return ("ids", *sorted(named.ids.items()))
    return ("title", folded(named.title), named.year)


class Lookups:
    """What was asked in this job; closed at its end. While one folder's look-ups take their time,
    their answers are kept every second, so that a crash costs no more than that."""

    def __init__(
        self,
        chain: Chain,
        pictures: Pictures,
        catalogue: Catalogue,
        kept: KeptAnswers,
        stopped: Callable[[], bool],
    ) -> None:
        self.chain = chain
        self.kept = kept
        self._pictures = pictures
        self._catalogue = catalogue
        self._stopped = stopped
        self._answers: dict[Key, Answer] = {}
        self._seasons: OrderedDict[Key, SeasonFound] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self.chain.close()

    def known(self, named: Named) -> bool:
        return key_of(named) in self._answers

    def titles(
        self, kind: str, media_type: str, wanted: Iterable[tuple[Named, str | None]], *, again: bool
    ) -> Mapping[Key, Answer]:
        """Answers by key. ``wanted`` are names, each with the path of the film's file or of the
        show's folder, if there is one. ``again``: details are fetched also for what is matched
        already. Raises Stopped."""
        names: dict[Key, tuple[Named, str | None]] = {}
        for named, path in wanted:
            names.setdefault(key_of(named), (named, path))
        running = {
            key: self._submit(partial(self._title, kind, media_type, named, path, again))
            for key, (named, path) in names.items()
            if key not in self._answers
        }
        self._answers.update(self._gathered(running))
        return {key: self._answers[key] for key in names}

    def seasons(
        self, wanted: Iterable[tuple[str, Mapping[str, str], int]]
    ) -> Mapping[Key, SeasonFound | None]:
        """Seasons of shows by (row name, ids as text, number); None where nobody can be asked.
        Raises Stopped."""
        asked = {(row, str(sorted(ids.items())), number): ids for row, ids, number in wanted}
        running = {
            key: self._submit(partial(self._season, key, ids))
            for key, ids in asked.items()
            if key not in self._seasons
        }
        gathered = self._gathered(running)
        result = {key: gathered.get(key, self._seasons.get(key)) for key in asked}
        for key, found in gathered.items():
            if found is not None:
                self._seasons[key] = found
        while len(self._seasons) > _SEASONS:
            self._seasons.popitem(last=False)
        return result

    def lighten(self, keys: Iterable[Key]) -> None:
        """Keeps of answers whose details are stored by now only what leads to them."""
        for key in keys:
            answer = self._answers[key]
            metadata = answer.metadata
            if metadata is not None:
                light = MediaMetadata(
                    metadata.ids,
                    metadata.title,
                    runtime_minutes=metadata.runtime_minutes,
                    trailer_url=metadata.trailer_url,
                    creator=metadata.creator,
                    network=metadata.network,
                )
                self._answers[key] = Answer(replace(answer.found, metadata=light))

    def _title(
        self, kind: str, media_type: str, named: Named, path: str | None, again: bool
    ) -> Answer:
        key = key_of(named)
        answer = self.kept.answer(key)
        if answer is None:
            extra = {} if path is None else {"path": path}
            query = MediaQuery(kind, named.title, named.year, named.ids, extra=extra)
            answer = Answer(self.chain.fetch(query))
        if answer.artwork is None and answer.metadata is not None:
            self.kept.note(key, answer)
            answer = self._pictured(answer, answer.metadata, media_type, again=again)
        if answer.found.cut or (answer.found.error and self._stopped()):
            raise Stopped
        self.kept.note(key, answer)
        return answer

    def _pictured(
        self, answer: Answer, metadata: MediaMetadata, media_type: str, *, again: bool
    ) -> Answer:
        """With artwork where details are to be stored; raises Stopped."""
        if self._stopped():
            raise Stopped
        known = self._catalogue.find(media_type, metadata.ids)
        if known is not None and not again and self._catalogue.is_matched(known):
            return answer
        before = Artwork() if known is None else self._catalogue.artwork(known)
        poster, backdrop = metadata.poster_url, metadata.backdrop_url
        row = answer.found.row
        kept = self._pictures.keep(poster, before.poster_url, before.poster_source, row)
        if self._stopped():
            raise Stopped
        other = self._pictures.keep(backdrop, before.backdrop_url, before.backdrop_source, row)
        return Answer(answer.found, Artwork(kept, other, poster, backdrop))

    def _season(self, key: Key, ids: Mapping[str, str]) -> SeasonFound | None:
        found = self.kept.season(key) or self.chain.season(key[0], ids, key[2])
        if found is not None:
            if found.error and self._stopped():
                raise Stopped
            self.kept.note(key, found)
        return found

    def _submit(self, call: Callable[[], Any]) -> Future[Any]:
        if self._pool is None:
            self.kept.read()
            self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="media-lookup")

        def work() -> Any:
            if self._stopped():
                raise Stopped
            return call()

        return self._pool.submit(work)

    def _gathered(self, running: Mapping[Key, Future[Any]]) -> dict[Key, Any]:
        results: dict[Key, Any] = {}
        kept_at = time.monotonic()
        try:
            for key, future in running.items():
                results[key] = future.result()
                if time.monotonic() - kept_at > _KEEP_SECONDS:
                    self.kept.write()
                    kept_at = time.monotonic()
        except BaseException:
            begun = [future for future in running.values() if not future.cancel()]
            wait(begun)  # closing would wait for them as well
            self.kept.write()
            raise
        return results
