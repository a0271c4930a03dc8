"""Look-ups of one job: in parallel, each once, artwork included (media contract, 7.5, 8.2)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from builtin_plugins.media.answer_forms import metadata_of, plain
from builtin_plugins.media.artwork import Pictures
from builtin_plugins.media.catalogue import Artwork, Catalogue
from builtin_plugins.media.chain import Chain, Found, SeasonFound
from builtin_plugins.media.discovery import Stopped
from builtin_plugins.media.kept_answers import KeptAnswers, Key
from builtin_plugins.media.names import Named, folded
from plugin_sdk import MediaMetadata, MediaQuery, NotFound

__all__ = ["Answer", "Key", "Lookups", "key_of"]

PARALLEL: Final = 8
_SEASONS: Final = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """``artwork`` is None where nothing of the details is to be stored: they are already."""

    found: Found
    artwork: Artwork | None = None

    @property
    def metadata(self) -> MediaMetadata | None:
        return self.found.metadata

    def light(self) -> Answer:
        """What leads to the details, which are stored by now."""
        metadata = self.metadata
        if metadata is None:
            return self
        metadata = MediaMetadata(
            metadata.ids,
            metadata.title,
            runtime_minutes=metadata.runtime_minutes,
            trailer_url=metadata.trailer_url,
            creator=metadata.creator,
            network=metadata.network,
        )
        return Answer(replace(self.found, metadata=metadata))

    def text(self) -> dict[str, Any]:
        """As it is kept, once it is light."""
        found = self.found
        return {"metadata": plain(found.metadata), "row": found.row, "source": found.source}


def _known(held: Mapping[str, Any]) -> Answer:
    return Answer(Found(metadata_of(held["metadata"]), held["row"], held["source"], far=True))


def key_of(named: Named) -> Key:
    """Equal look-ups have equal keys: the same ids, else the same title and year."""
    if named.ids:
        return ("ids", *sorted(named.ids.items()))
    return ("title", folded(named.title), named.year)


class Lookups:
    """What was asked in this job; closed at its end. What providers and pictures' servers answered
    is kept at once (`KeptAnswers`): a thread asks for nothing else before that."""

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
        self._open: list[Key] = []
        """Of answers whose details are not stored yet."""
        self._seasons: OrderedDict[Key, SeasonFound] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self.chain.close()

    def known(self, named: Named) -> bool:
        """Whether it was asked in this job, and what was answered is stored."""
        key = key_of(named)
        if key not in self._answers:
            self.kept.read()
            held = self.kept.find("known", (self.chain.mark, *key))
            if held is None:
                return False
            self._answers[key] = _known(held)
        return True

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
            if not self.known(named)
        }
        self._answers.update(self._gathered(running))
        self._open.extend(running)
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

    def settle(self) -> None:
        """Inside the transaction that stores what was answered."""
        opened = {key: self._answers[key] for key in self._open}
        self.kept.settle(
            {
                (self.chain.mark, *key): answer.light().text()
                for key, answer in opened.items()
                if answer.found.far and not answer.found.error
            }
        )

    def lighten(self) -> None:
        """After that transaction: keeps of answers only what leads to their details."""
        self.kept.settled()
        for key in self._open:
            self._answers[key] = self._answers[key].light()
        self._open.clear()

    def _title(
        self, kind: str, media_type: str, named: Named, path: str | None, again: bool
    ) -> Answer:
        extra = {} if path is None else {"path": path}
        query = MediaQuery(kind, named.title, named.year, named.ids, extra=extra)
        found = self.chain.fetch(key_of(named), query)
        if found.cut or (found.error and self._stopped()):
            raise Stopped
        if found.metadata is None:
            return Answer(found)
        return Answer(found, self._artwork(found, found.metadata, media_type, again=again))

    def _artwork(
        self, found: Found, metadata: MediaMetadata, media_type: str, *, again: bool
    ) -> Artwork | None:
        """None where no details are to be stored; raises Stopped."""
        known = self._catalogue.find(media_type, metadata.ids)
        if known is not None and not again and self._catalogue.is_matched(known):
            return None
        before = Artwork() if known is None else self._catalogue.artwork(known)
        poster, backdrop = metadata.poster_url, metadata.backdrop_url
        row = found.row
        return Artwork(
            self._picture(poster, before.poster_url, before.poster_source, row),
            self._picture(backdrop, before.backdrop_url, before.backdrop_source, row),
            poster,
            backdrop,
        )

    def _picture(
        self, url: str | None, stored: str | None, source: str | None, row: str
    ) -> str | None:
        """Where it is now; raises Stopped."""
        if url is None:
            return None
        if self._stopped():
            raise Stopped
        held = self.kept.find("picture", (row, url))
        if held == url or (held is not None and self._is_stored(held, row)):
            return str(held)
        address = self._pictures.keep(url, stored, source, row)
        if address is not None and not (address == url and self._stopped()):
            self.kept.keep("picture", (row, url), address)
        return address

    def _is_stored(self, address: str, row: str) -> bool:
        """A picture that no row names is deleted after a day: the scan may have rested longer."""
        try:
            self._pictures.read(address, row)
        except NotFound:
            return False
        return True

    def _season(self, key: Key, ids: Mapping[str, str]) -> SeasonFound | None:
        found = self.chain.season(key[0], ids, key[2])
        if found is not None and found.error and self._stopped():
            raise Stopped
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
        try:
            return {key: future.result() for key, future in running.items()}
        except BaseException:
            begun = [future for future in running.values() if not future.cancel()]
            wait(begun)  # closing would wait for them as well
            raise
