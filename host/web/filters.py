"""The filters of all active plugins: asked before anybody looks for a route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from host.logs import plugin_id
from host.plugins.catalog import Catalog, Published
from host.plugins.gate import Gate, GateClosed
from host.web.error_bodies import Owner, Rendered, encode_json
from host.web.exchange import StaleCatalog
from host.web.headers import check_header
from host.web.requests import UnidentifiedRequest
from host.web.tools import Tools
from plugin_sdk import Principal, Request, Response, StageboxError, TextBody, Verdict

__all__ = ["NOTHING", "Filters", "Outcome"]


class Outcome(NamedTuple):
    """``headers`` (names in lower case) for whatever answer comes; ``answer`` where a filter has
    given one. ``principal_id`` is who got that, where a filter wanted to know."""

    headers: Mapping[str, str]
    answer: Rendered | None = None
    principal_id: str = ""


NOTHING: Final = Outcome({})


@dataclass(frozen=True, slots=True)
class _Entry:
    """One filter at one of its paths."""

    path: str
    below: str
    order: int
    plugin_id: str
    gate: Gate
    call: Callable[[Request], Verdict]
    identify: bool

    def covers(self, path: str) -> bool:
        return not self.path or path == self.path or path.startswith(self.below)


class Filters:
    """Those of one catalog. Never changes."""

    def __init__(self, catalog: Catalog, tools: Tools) -> None:
        self._tools = tools
        self._everywhere: tuple[_Entry, ...] = ()
        self._by_segment: dict[str, tuple[_Entry, ...]] = {}
        entries = [entry for published in catalog.plugins.values() for entry in _entries(published)]
        entries.sort(key=lambda entry: entry.order)  # stable: by the order of start
        self._everywhere = tuple(entry for entry in entries if not entry.path)
        for segment in {_first_segment(entry.path) for entry in entries if entry.path}:
            self._by_segment[segment] = tuple(
                entry
                for entry in entries
                if not entry.path or _first_segment(entry.path) == segment
            )

        self._paths = frozenset(entry.path for entry in entries)
        self._below = tuple({f"{entry.path}/" for entry in entries})
        """Where filters stand: the end of one that stands everywhere is "/"."""

    def cover(self, path: str) -> bool:
        """Whether anything stands before this path."""
        return path.startswith(self._below) or path in self._paths

    def judge(self, request: Request, owner: Callable[[], Owner]) -> Outcome:
        """Asks all that stand before this path, in order, until one answers or refuses.

        Raises StaleCatalog when a plugin that has one is going."""
        found = self._by_segment.get(_first_segment(request.path), self._everywhere)
        if not found:
            return NOTHING
        headers: dict[str, str] = {}
        late: UnidentifiedRequest | None = None
        asked: set[Callable[[Request], Verdict]] = set()
        for entry in found:
            if entry.call in asked or not entry.covers(request.path):
                continue
            asked.add(entry.call)
            try:
                if entry.identify and late is None:
                    request = late = UnidentifiedRequest.of(request, self._admit)
                verdict = self._ask(entry, request)
                if isinstance(verdict, Response):
                    who = late.principal.id if late is not None and late.identified else ""
                    return Outcome(headers, _rendered(verdict), who)
                headers.update(_checked(verdict))
            except StaleCatalog:
                raise
            except (Exception, SystemExit) as error:
                rendered = self._tools.errors.answer(error, request, owner())
                return Outcome(headers, rendered)
        return Outcome(headers)

    def _ask(self, entry: _Entry, request: Request) -> Verdict:
        gate = entry.gate
        try:
            gate.enter(slot=False)  # or a plugin that is busy would stop those behind it
        except GateClosed:
            raise StaleCatalog from None
        failed = True
        named = plugin_id.set(entry.plugin_id)
        try:
            verdict = entry.call(request)
            failed = False
            return verdict
        except StageboxError as error:
            failed = error.status == 500
            raise
        finally:
            plugin_id.reset(named)
            gate.leave(slot=False, failed=failed)

    def _admit(self, request: Request) -> tuple[Principal, str | None]:
        headers = request.headers
        tokens = request.query.all("token") if "upgrade" in headers else ()
        return self._tools.doorkeeper.admit(
            request.method,
            request.peer,
            request.scheme,
            request.host,
            headers,
            "open",
            None,
            headers.get("authorization"),
            headers.get("cookie"),
            tokens[0] if tokens else None,
        )


def _entries(published: Published) -> list[_Entry]:
    return [
        _Entry(
            path.rstrip("/"),
            path.rstrip("/") + "/",
            each.order,
            published.plugin_id,
            published.gate,
            each.call,
            each.identify,
        )
        for each in published.filters
        for path in each.paths
    ]


def _first_segment(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _rendered(response: Response) -> Rendered:
    """A filter's answer. Raises TypeError for a file or a stream."""
    body = response.body
    if isinstance(body, TextBody):
        content = body.content
    elif body is None and not response.content_type:
        content = b""
    else:
        content = encode_json(body)
    headers = dict(_checked(response.headers))
    if response.content_type and content:
        headers.setdefault("content-type", response.content_type)
    return Rendered(response.status, list(headers.items()), content)


def _checked(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Names in lower case. Raises ValueError for a header that cannot be sent."""
    if headers is None:
        return {}
    for name, value in headers.items():
        refused = check_header(name, value)
        if refused is not None:
            raise ValueError(f"A filter gave a header that cannot be sent: {refused}.")
    return {name.lower(): value for name, value in headers.items()}
