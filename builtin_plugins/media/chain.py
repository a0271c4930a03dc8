"""Asking metadata providers, one after the other, until one answers (media contract, 8.2)."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from builtin_plugins.media.answer_forms import metadata_of, plain, season_of
from builtin_plugins.media.kept_answers import KeptAnswers, Key
from builtin_plugins.media.provider_rows import ProviderRow, ProviderRows
from plugin_sdk import (
    Clock,
    Logger,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    ProviderError,
    SeasonMetadata,
)

__all__ = ["Chain", "Found", "SeasonFound"]

MAX_ERRORS: Final = 3
_DEFAULT_LANGUAGE: Final = "en-US"


@dataclass(frozen=True, slots=True)
class Found:
    """How a look-up ended: ``row`` is the name of the provider row that answered, ``source`` the
    source of its ids. ``out``: every row had been left out, so nobody was asked. ``cut``: it is
    to stop, and somebody was not asked yet. ``far``: somebody was asked who may have to ask a
    server."""

    metadata: MediaMetadata | None = None
    row: str = ""
    source: str = ""
    error: bool = False
    out: bool = False
    cut: bool = False
    far: bool = False


@dataclass(frozen=True, slots=True)
class SeasonFound:
    season: SeasonMetadata | None = None
    error: bool = False


@dataclass(slots=True)
class _State:
    """What is remembered of a row during one job."""

    errors: int = 0
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class _Context:
    """What a provider instance gets from us; ``mark`` is its own."""

    clock: Clock
    log: Logger
    stopped: Callable[[], bool]
    kept: KeptAnswers
    mark: str

    @property
    def stopping(self) -> bool:
        return self.stopped()

    def once(self, key: str, ask: Callable[[], Any]) -> Any:
        return self.kept.once((self.mark, key), ask)


@dataclass(frozen=True, slots=True)
class _Member:
    row: ProviderRow
    provider: MetadataProvider
    mark: str


@dataclass(slots=True)
class _Made:
    """``mark``: answers are kept for the row as it is configured now."""

    text: str
    mark: str
    implementation: type[MetadataProvider]
    provider: MetadataProvider
    configured: bool


@dataclass(slots=True)
class _Answers:
    value: Any = None
    state: Literal["answered", "nothing", "error"] = "nothing"


class Chain:
    """The rows in one job. Asked by several threads at once; closed at the end. What a row
    answered is kept before the next one is asked, and errors are no answers."""

    def __init__(
        self,
        rows: ProviderRows,
        clock: Clock,
        log: Logger,
        stopped: Callable[[], bool],
        told: Callable[[bool], object],
        kept: KeptAnswers,
    ) -> None:
        """``told`` hears after each call whether it succeeded."""
        self._rows = rows
        self._clock = clock
        self._stopped = stopped
        self._kept = kept
        self._log = log
        self._told = told
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}
        self._made: dict[str, _Made] = {}
        self._members: list[_Member] = []

    def read(self) -> None:
        """The rows as they are now, for the folder that comes."""
        members = []
        for row in self._rows.all():
            if not row.enabled:
                continue
            made = self._instance(row)
            if made is not None and made.configured:
                members.append(_Member(row, made.provider, made.mark))
        self._members = members

    @property
    def mark(self) -> str:
        """Of all rows that can be asked, as they are configured now."""
        return " ".join(each.mark for each in self._members)

    def usable(self, kind: str) -> bool:
        """Whether there is a row that knows the kind, left out or not."""
        return any(kind in each.provider.kinds for each in self._members)

    def fetch(self, key: Key, query: MediaQuery) -> Found:
        """``key``: equal look-ups have equal ones."""
        errors, asked, far = 0, 0, False
        for member in self._members:
            if query.kind not in member.provider.kinds or self._state(member).left_out:
                continue
            if asked and self._stopped():
                return Found(cut=True)
            asked += 1
            far = far or not member.provider.local
            language = member.row.config.get("language")
            wanted = MediaQuery(
                query.kind,
                query.title,
                query.year,
                query.ids,
                language if isinstance(language, str) else _DEFAULT_LANGUAGE,
                query.extra,
            )
            fetch = partial(member.provider.fetch, wanted)
            answers = self._ask_once(member, "title", key, fetch, metadata_of)
            if answers.state == "answered" and isinstance(answers.value, MediaMetadata):
                return Found(answers.value, member.row.name, member.provider.source, far=far)
            errors += answers.state == "error"
        return Found(error=bool(asked) and errors == asked, out=not asked, far=far)

    def season(self, row_name: str, ids: Mapping[str, str], number: int) -> SeasonFound | None:
        """A season, of the row that answered the show; None when that cannot be asked."""
        key = (tuple(sorted(ids.items())), number)
        for member in self._members:
            if member.row.name == row_name and not self._state(member).left_out:
                fetch = partial(member.provider.fetch_season, ids, number)
                answers = self._ask_once(member, "season", key, fetch, season_of)
                season = answers.value if isinstance(answers.value, SeasonMetadata) else None
                return SeasonFound(season, answers.state == "error")
        return None

    def source_of(self, row_name: str) -> str | None:
        """The source whose ids a row understands."""
        for member in self._members:
            if member.row.name == row_name:
                return member.provider.source
        return None

    def close(self) -> None:
        for made in self._made.values():
            self._close(made)
        self._made.clear()
        self._members = []

    def _state(self, member: _Member) -> _State:
        with self._lock:
            return self._states.setdefault(member.row.id, _State())

    def _ask_once(
        self,
        member: _Member,
        kind: Literal["title", "season"],
        key: Key,
        call: Callable[[], Any],
        form: Callable[[Any], Any],
    ) -> _Answers:
        """What the row answered to an earlier run of the job, else what it answers now."""
        if member.provider.local:
            return self._ask(member, call)
        key = (member.mark, *key)
        held = self._held(kind, key, form)
        if held is not None:
            return held
        answers = self._ask(member, call)
        if answers.state != "error":
            self._kept.keep(kind, key, {"answer": plain(answers.value)})
        return answers

    def _held(
        self, kind: Literal["title", "season"], key: Key, form: Callable[[Any], Any]
    ) -> _Answers | None:
        held = self._kept.find(kind, key)
        if held is None:
            return None
        try:
            value = form(held["answer"])
        except (AttributeError, KeyError, TypeError):  # it was not what was agreed
            return None
        return _Answers(value, "nothing" if value is None else "answered")

    def _ask(self, member: _Member, call: Callable[[], Any]) -> _Answers:
        """One call of somebody else's code; nothing of what it raises goes further."""
        try:
            value = call()
        except Exception as error:
            permanent = isinstance(error, ProviderError) and error.permanent
            if not self._stopped():
                self._note_error(member, permanent=permanent, error=error)
            return _Answers(state="error")
        self._state(member).errors = 0
        self._told(True)
        return _Answers(value, "nothing" if value is None else "answered")

    def _note_error(self, member: _Member, *, permanent: bool, error: Exception) -> None:
        self._told(False)
        state = self._state(member)
        with self._lock:
            state.errors += 1
            leave = not state.left_out and (permanent or state.errors >= MAX_ERRORS)
            state.left_out = state.left_out or leave
        text = str(error) if isinstance(error, ProviderError) else type(error).__name__
        if leave:
            self._log.warning(
                "The metadata provider %s is left out for the rest of this scan: %s",
                member.row.name,
                text,
            )
        else:
            self._log.debug("The metadata provider %s failed: %s", member.row.name, text)

    def _instance(self, row: ProviderRow) -> _Made | None:
        implementation = self._rows.implementation(row)
        if implementation is None:
            return None
        text = json.dumps(dict(row.config), sort_keys=True)
        known = self._made.get(row.id)
        if known is not None and (known.text, known.implementation) == (text, implementation):
            return known
        if known is not None:
            self._close(known)
            self._states.pop(row.id, None)  # another key deserves another try
        try:
            mark = hashlib.sha256(f"{row.id} {text}".encode()).hexdigest()[:24]
            context = _Context(self._clock, self._log, self._stopped, self._kept, mark)
            provider = implementation(row.config, context)
            made = _Made(text, mark, implementation, provider, bool(provider.is_configured()))
        except Exception as error:
            self._log.warning(
                "The metadata provider %s cannot be used: %s", row.name, type(error).__name__
            )
            self._made.pop(row.id, None)
            return None
        self._made[row.id] = made
        return made

    def _close(self, made: _Made) -> None:
        try:
            made.provider.close()
        except Exception as error:
            self._log.warning("Closing a metadata provider failed: %s", type(error).__name__)
