"""What all connections of one server share."""

from __future__ import annotations

import http
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from host.server.bodies import Scratch
from host.server.hub import Hub
from host.server.poller import Poller
from host.server.waiting import Waiting
from host.web.handshake import WebSocketApplication
from plugin_sdk import Request
from plugin_sdk.context import Logger

__all__ = ["Answer", "BodyLimit", "Gateway", "RenderError", "Site"]

Gateway = Callable[..., Any]
"""A WSGI callable (PEP 3333)."""

BodyLimit = Callable[[str, str], int]
"""(method, path as percent-decoded text) -> the largest body in bytes. Asked on the I/O thread
for each request that has a body: it must not block."""

RenderError = Callable[
    [int, str, str, str, Mapping[str, str], Request | None],
    tuple[int, list[tuple[str, str]], bytes],
]
"""(status, code, message, path, extra headers, what could be read of the request) -> status, all
headers, and body of the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. ``options`` are further tokens of its Connection header."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    options: tuple[str, ...] = ()

    @property
    def status_line(self) -> str:
        try:
            return f"{self.status} {http.HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Status"


@dataclass(slots=True)
class Site:
    """The parts of a server that its connections use, and whether it is stopping."""

    gateway: Gateway
    body_limit: BodyLimit
    render_error: RenderError
    upgrades: WebSocketApplication
    hub: Hub
    poller: Poller
    log: Logger
    waiting: Waiting = field(default_factory=Waiting)
    scratch: Scratch = field(default_factory=Scratch)
    stopping: bool = field(default=False)

    def error(
        self,
        status: int,
        code: str,
        message: str,
        path: str,
        extra: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
        head: Request | None = None,
    ) -> Answer:
        """An error in the host's shape; in a plain one should rendering it fail."""
        try:
            status, headers, body = self.render_error(
                status, code, message, path, extra or {}, head
            )
        except Exception:
            self.log.exception("Rendering the error %d %s for %s failed.", status, code, path)
            headers = [("Content-Type", "application/json"), *(extra or {}).items()]
            body = json.dumps({"error": code, "message": message}).encode()
        return Answer(status, headers, body, options)
