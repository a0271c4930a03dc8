"""Answering one request on a worker thread."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from waitress.task import Task as WaitressTask
from waitress.task import WSGITask, hop_by_hop
from waitress.utilities import build_http_date

from host.server.bodies import FileBody
from host.server.parser import decoded_path
from host.server.site import Answer, Site
from host.server.waiting import WAKE, Ticket
from host.web.gateway import MEMO
from plugin_sdk import Headers, Request

__all__ = ["AnswerTask", "ErrorTask", "WsgiTask"]

_JOIN: Final = 64 * 1024
"""Up to this many bytes of a body travel in one send with the head."""

_CODES: Final = {
    400: "INVALID_REQUEST",
    431: "HEADERS_TOO_LARGE",
    501: "NOT_IMPLEMENTED",
    500: "INTERNAL_ERROR",
}
_SENTENCES: Final = {
    431: "The headers of the request are too large.",
    500: "Something unexpected went wrong.",
}


@functools.lru_cache(maxsize=4)
def _date(second: int) -> str:
    return str(build_http_date(second))


@functools.lru_cache(maxsize=256)
def _shown(name: str) -> str:
    """Falcon's lower-case names as people write them; others stay as they are."""
    return name.title() if name.islower() else name


class _Task(WaitressTask):  # type: ignore[misc]  # waitress ships no types
    """How an answer is written. Unlike waitress it keeps the connection after chunked answers and
    after those that have no body, sends head and first bytes together, and nothing after HEAD.
    """

    connection_options: tuple[str, ...] = ()
    wrote_header: bool = False
    complete: bool = False
    content_length: int | None = None
    content_bytes_written: int = 0

    def __init__(self, channel: Any, request: Any) -> None:
        super().__init__(channel, request)
        self.site: Site = channel.site
        self.logger = self.site.log

    @property
    def sends_body(self) -> bool:
        return bool(self.has_body) and self.request.command != "HEAD"

    def build_response_header(self) -> bytes:
        lines = [f"HTTP/{self.version} {self.status}"]
        length = self.content_length
        named = set()
        for name, value in self.response_headers:
            low = name.lower()
            named.add(low)
            if low != "content-length":
                lines.append(f"{_shown(name)}: {value}")
        if not self.has_body:
            length = 0  # RFC 9110, 8.6: none is sent with 1xx and 204, none needed with 304
        elif length is not None:
            lines.append(f"Content-Length: {length}")
        elif self.request.command == "HEAD":
            length = 0
        elif self.version == "1.1":
            lines.append("Transfer-Encoding: chunked")
            self.chunked_response = True
        self._add_connection(lines, framed=length is not None or self.chunked_response)
        if "server" not in named:
            lines.append(f"Server: {self.channel.adj.ident}")
        if "date" not in named:
            lines.append(f"Date: {_date(int(time.time()))}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _add_connection(self, lines: list[str], *, framed: bool) -> None:
        asked = self.request.headers.get("CONNECTION", "").lower()
        tokens = [token.strip() for token in asked.split(",")] if asked else []
        keeps = "keep-alive" in tokens if self.version == "1.0" else "close" not in tokens
        options = list(self.connection_options)
        if not keeps or not framed or self.site.stopping:
            self.close_on_finish = True
        if self.close_on_finish:
            options.append("close")
        elif self.version == "1.0":
            options.append("keep-alive")
        if options:
            lines.append(f"Connection: {', '.join(options)}")

    def write(self, data: bytes) -> None:
        """Sends bytes of the body, the head before the first of them (PEP 3333)."""
        if not self.complete:
            raise RuntimeError("start_response was not called before the body was written")
        head = b""
        if not self.wrote_header:
            head = self.build_response_header()
            self.wrote_header = True
        if data and self.sends_body:
            data = self._framed(data)
            if head and len(data) > _JOIN:
                self.channel.write_soon(head)
                head = b""
            self.channel.write_soon(head + data if head else data)
        elif head:
            self.channel.write_soon(head)

    def _framed(self, data: bytes) -> bytes:
        if self.chunked_response:
            return b"%X\r\n%b\r\n" % (len(data), data)
        if self.content_length is not None:
            left = self.content_length - self.content_bytes_written
            self.content_bytes_written += len(data)
            data = data[:left]
        return data

    def finish(self) -> None:
        if not self.wrote_header:
            self.write(b"")
        if self.chunked_response:
            self.channel.write_soon(b"0\r\n\r\n")


class AnswerTask(_Task):
    """Sends an answer that is there already, and ends the connection."""

    complete = True

    def send(self, answer: Answer) -> None:
        """To be called by `execute`, which every kind of these tasks has of its own."""
        self.status = answer.status_line
        self.response_headers = answer.headers
        self.content_length = len(answer.body)
        self.connection_options = answer.options
        self.close_on_finish = True
        self.write(answer.body)


class ErrorTask(AnswerTask):
    """Answers ``request.error``: waitress' own refusals and ours, in the host's shape."""

    def execute(self) -> None:
        self.send(self._answer())

    def _answer(self) -> Answer:
        error = self.request.error
        status = error.code
        code = getattr(error, "word", None) or _CODES.get(status, "INVALID_REQUEST")
        message = _SENTENCES.get(status) or str(error.body)
        path = decoded_path(self.request.path)
        return self.site.error(status, code, message, path, head=self._head(path))

    def _head(self, path: str) -> Request | None:
        """What was read of the request; None when that is too little to judge it by."""
        parser = self.request
        headers = {name.replace("_", "-").lower(): value for name, value in parser.headers.items()}
        if "host" not in headers:
            return None
        return Request(
            method=parser.command,
            path=path,
            headers=Headers(headers),
            peer=self.channel.addr[0],
            scheme=self.channel.adj.url_scheme,
            host=headers["host"],
            target=getattr(parser, "request_uri", ""),
        )


class WsgiTask(_Task, WSGITask):  # type: ignore[misc]  # waitress ships no types
    """Calls the WSGI application. ``close()`` of what it returned is called in every case: here,
    or by the I/O thread once it has sent a FileBody or lost the client."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ["wsgi.file_wrapper"] = FileBody
        ticket = self.request.ticket
        if ticket is None:
            ticket = self.request.ticket = Ticket(self.channel)
        else:
            self.site.waiting.discard(ticket)
        ticket.begin()
        environ[MEMO] = ticket.memo
        if not ticket.late:
            environ[WAKE] = ticket.wake
        return environ

    def execute(self) -> None:
        environ = self.get_environment()
        # waitress keeps it for a second call. It leads back to here (by start_response, if by
        # nothing of the application's), and such a circle would wait for the garbage collector.
        self.environ = None
        body = self.site.gateway(environ, self.start_response)
        handed_over = False
        try:
            if isinstance(body, FileBody) and body.sized:
                handed_over = self._send_file(body)
            else:
                self._send_chunks(body)
        finally:
            if not handed_over and hasattr(body, "close"):
                body.close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """PEP 3333, "The start_response() Callable"."""
        if exc_info:
            try:
                if self.wrote_header:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.complete:
            raise AssertionError("start_response was called twice without exc_info")
        self._check_line("status", status)
        length = None
        for name, value in headers:
            self._check_line("name of a header", name)
            self._check_line(f"header {name}", value)
            low = name.lower()
            if low == "content-length":
                length = int(value)
            elif low in hop_by_hop:
                raise AssertionError(f"{name} is the server's own header (PEP 3333)")
        self.complete = True
        self.status = status
        self.response_headers = list(headers)
        self.content_length = length
        return self.write

    @staticmethod
    def _check_line(what: str, value: object) -> None:
        if type(value) is not str and not isinstance(value, str):
            raise TypeError(f"the {what} is not text: {value!r}")
        if "\n" in value or "\r" in value:
            raise ValueError(f"the {what} has a line break: {value!r}")

    def _send_file(self, body: FileBody) -> bool:
        self.content_length = body.prepare(self.content_length)
        if not self.sends_body or not self.content_length:
            self.write(b"")
            return False
        if not self.wrote_header:
            body.prepend(self.build_response_header())
            self.wrote_header = True
        self.channel.write_soon(body)
        return True

    def _send_chunks(self, body: Iterable[bytes]) -> None:
        if self.content_length is None and isinstance(body, list | tuple) and self.sends_body:
            # A generator may call start_response late, a list has done so. Of HEAD's empty list
            # nothing follows for the length of what GET would send (RFC 9110, 8.6).
            self.content_length = sum(map(len, body))
        for chunk in body:
            if chunk:
                self.write(chunk)
            if self.complete and not self.sends_body:
                return  # HEAD and the like: the rest would be made for nothing
            if self.content_length is not None and self.content_bytes_written > self.content_length:
                break
        self._check_length()

    def _check_length(self) -> None:
        promised, given = self.content_length, self.content_bytes_written
        if promised is None or promised == given or not self.sends_body:
            return
        self.logger.warning(
            "%s %s promised %d bytes in its Content-Length and gave %s %d.",
            self.request.command,
            self.request.path,
            promised,
            "only" if given < promised else "at least",
            given,
        )
        if given < promised:
            self.close_on_finish = True  # so that the client does not wait for the rest
