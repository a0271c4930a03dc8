"""Opening handshakes of WebSockets (RFC 6455, 4.2), whichever server read the request."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from websockets.exceptions import InvalidUpgrade
from websockets.http11 import Request
from websockets.server import ServerProtocol

from host.server.connection import SocketConnection
from host.server.parser import Parser, decoded_path
from host.server.site import Answer, Site
from host.server.task import AnswerTask
from host.web.handshake import Handshake, Refusal

__all__ = ["UpgradeTask", "negotiate"]

_RETRY_SECONDS: Final = "5"


def negotiate(head: bytes, peer: str, scheme: str, site: Site) -> Answer | SocketConnection:
    """Judges a handshake: a refusal, or the connection that waits for its socket
    (`Hub.adopt` takes both).

    ``head`` is the raw head of the request including the empty line. Blocks as long as
    ``site.upgrades.open`` does, and raises what that raises.
    """
    judge = ServerProtocol(logger=site.hub.protocol_log)
    judge.receive_data(head)
    events = judge.events_received()
    old = head.partition(b"\r\n")[0].endswith(b" HTTP/1.0")  # websockets may not read that
    if not events or not isinstance(events[0], Request):
        if old:
            return _upgrade_required({"Upgrade": "websocket"}, "/", site)
        return _malformed(judge, "/", site)
    request = events[0]
    handshake = _handshake(request, peer, scheme)
    response = judge.accept(request)
    if isinstance(judge.handshake_exc, InvalidUpgrade) or old:
        return _upgrade_required({"Upgrade": "websocket"}, handshake.path, site)
    if handshake.headers.get("sec-websocket-version") != "13":
        wanted = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        return _upgrade_required(wanted, handshake.path, site)
    if response.status_code != 101:
        return _malformed(judge, handshake.path, site)
    outcome = site.upgrades.open(handshake)
    if isinstance(outcome, Refusal):
        return Answer(outcome.status, list(outcome.headers), outcome.body)
    connection = site.hub.open(outcome, response.serialize())
    if connection is None:
        outcome.closed()
        text = "There are as many connections as there may be; try again later."
        extra = {"Retry-After": _RETRY_SECONDS}
        return site.error(503, "UNAVAILABLE", text, handshake.path, extra)
    return connection


def _handshake(request: Request, peer: str, scheme: str) -> Handshake:
    target, host = request.path, ""
    if not target.startswith("/"):  # absolute form, which beats the header (RFC 9112, 3.2.2)
        host, _, path = target.partition("://")[2].partition("/")
        target = f"/{path}"
    raw_path, _, query = target.partition("#")[0].partition("?")
    headers: dict[str, str] = {}
    for name, value in request.headers.raw_items():
        low = name.lower()
        headers[low] = f"{headers[low]}, {value}" if low in headers else value
    if host and "host" in headers:
        headers["host"] = host
    path = decoded_path(unquote_to_bytes(raw_path).decode("latin-1"))
    return Handshake("GET", path, query, headers, peer, scheme)


def _upgrade_required(headers: dict[str, str], path: str, site: Site) -> Answer:
    text = "This path speaks WebSocket (RFC 6455, version 13) only."
    return site.error(426, "UPGRADE_REQUIRED", text, path, headers, options=("Upgrade",))


def _malformed(judge: ServerProtocol, path: str, site: Site) -> Answer:
    text = f"This is no WebSocket handshake: {judge.handshake_exc}."
    return site.error(400, "INVALID_REQUEST", text, path)


class UpgradeTask(AnswerTask):
    """Judges the handshake of a channel on a worker thread. ``accepted`` is set when the socket
    shall go to the hub; otherwise the refusal was answered."""

    def __init__(self, channel: Any, request: Parser) -> None:
        super().__init__(channel, request)
        self.accepted: SocketConnection | None = None

    def service(self) -> None:
        peer, scheme = self.channel.addr[0], self.channel.adj.url_scheme
        outcome = negotiate(self.request.head, peer, scheme, self.site)
        if isinstance(outcome, SocketConnection):
            self.accepted = outcome
        else:
            self.refusal = outcome
            super().service()

    def execute(self) -> None:
        self.send(self.refusal)
