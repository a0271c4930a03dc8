"""The service ``rooms.call``: the routes of the open-group face without a transport (15)."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

from plugin_sdk import (
    Headers,
    Logger,
    MethodNotAllowed,
    NotFound,
    Query,
    Request,
    Response,
    Route,
    StageboxError,
    TooLarge,
)
from plugin_sdk.http import StreamBody, TextBody

__all__ = ["Calls"]

_FIELD: Final = re.compile(r"\\\{(\w+)\\\}")


class Calls:
    """Answers as over HTTP: the same checks, caps and limits. Called as a function; it never
    raises."""

    def __init__(
        self,
        routes: Sequence[Route],
        error_body: Callable[[StageboxError, Request], Any],
        log: Logger,
    ) -> None:
        self._routes = [(_pattern(route.path), route) for route in routes]
        self._error_body = error_body
        self._log = log

    def __call__(
        self,
        method: str,
        path: str,
        query: str | Mapping[str, str] = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object. ``path`` is percent-decoded; ``query`` is that of an address,
        or names and values; ``body`` is JSON."""
        content = body.encode(errors="surrogatepass") if isinstance(body, str) else body
        parameters = (
            parse_qs(query, keep_blank_values=True)
            if isinstance(query, str)
            else {name: (value,) for name, value in query.items()}
        )
        request = Request(
            method=method.upper(),
            path=path,
            query=Query(parameters),
            headers=Headers(headers),
            read=lambda: content,
        )
        try:
            return 200, _object_of(self._answer(request, content))
        except StageboxError as error:
            return error.status, self._error_body(error, request)
        except Exception:
            incident = secrets.token_hex(6)
            self._log.exception("%s %s failed (incident %s).", request.method, path, incident)
            failure = StageboxError()
            return failure.status, {**self._error_body(failure, request), "incident": incident}

    def _answer(self, request: Request, body: bytes) -> Any:
        found = [
            (match, route)
            for pattern, route in self._routes
            if (match := pattern.fullmatch(request.path))
        ]
        if not found:
            raise NotFound("There is no such path.")
        for match, route in found:
            if route.method == request.method:
                most = route.max_body() if callable(route.max_body) else route.max_body
                if len(body) > most:
                    raise TooLarge(f"The body may have at most {most} bytes.")
                return route.handler(_with_params(request, match.groupdict()))
        raise MethodNotAllowed


def _with_params(request: Request, params: Mapping[str, str]) -> Request:
    return Request(
        method=request.method,
        path=request.path,
        params=params,
        query=request.query,
        headers=request.headers,
        read=request.read,
    )


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_FIELD.sub(r"(?P<\1>[^/]+)", re.escape(path)))


def _object_of(answer: Any) -> dict[str, Any]:
    assert isinstance(answer, Response)
    if isinstance(answer.body, StreamBody):
        content = b"".join(answer.body.chunks)
    else:
        assert isinstance(answer.body, TextBody)
        content = answer.body.content
    result: dict[str, Any] = json.loads(content)
    return result
