"""Reading requests: what waitress does, and the judgements that cannot wait for the body."""

from __future__ import annotations

import re
import time
from typing import Any, Final

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import Error

from host.server.chunks import ChunkedBody
from host.server.site import Site
from host.server.waiting import Ticket

__all__ = ["Parser", "Refused", "decoded_path"]

_CODING: Final = b"\r\ntransfer-encoding:"
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n(?![ \t])")


class Refused(Error):  # type: ignore[misc]  # waitress ships no types
    """A request that is answered by the server itself."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.code = status
        self.word = code


def decoded_path(path: str) -> str:
    """A WSGI path (bytes as Latin-1) as the text that it stands for, leading slashes as one,
    which is how the application gets it."""
    if path.startswith("//"):
        path = "/" + path.lstrip("/")
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """One request. When its head is complete, its size is judged by ``site.body_limit``, so that
    a body that is too large is refused before it is sent, and never asked for by 100 Continue
    (RFC 9110, 10.1.1). A chunked body is cut at the same limit.

    ``upgrade`` is set for a GET of a WebSocket path; ``head`` then holds the raw head and
    ``surplus`` the bytes that came with it.
    """

    command = "GET"
    version = "1.1"
    path = "/"
    query = ""
    head = b""
    surplus = b""
    upgrade = False
    limit = 0
    body_rcv: Any
    error: Any
    expect_continue: bool

    def __init__(self, adj: Any, site: Site) -> None:
        super().__init__(adj)
        self.site = site
        self.started = time.monotonic()
        self.ticket: Ticket | None = None  # once it was carried out, perhaps in vain

    def received(self, data: bytes) -> int:
        """Takes bytes of this request and returns how many; after a refusal, all of them."""
        consumed: int = super().received(data)
        if self.chunked and self.error is None and len(self.body_rcv) > self.limit:
            self.error = self._too_large()
            self.completed = True
        if self.error is not None:
            self._drop_body()
            return len(data)
        if self.upgrade:
            self.surplus = data[consumed:]
            return len(data)
        if self.completed:  # nothing is left to be asked for
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """As in waitress, with its gaps closed, and the judgement of size added."""
        try:
            super().parse_header(header_plus)
        except ParsingError:
            raise
        except ValueError as error:  # urlsplit("http://[::1"), an integer of 5,000 digits
            raise ParsingError(str(error)) from error
        self.error = self._objection(header_plus)
        if self.error is None and self.command == "GET":
            self._look_for_upgrade(header_plus)
        if self.error is not None:
            self._drop_body()

    def _objection(self, head: bytes) -> Refused | None:
        headers = self.headers
        if self.version not in ("1.0", "1.1"):
            return Refused(
                505, "HTTP_VERSION_NOT_SUPPORTED", "This server speaks HTTP/1.0 and HTTP/1.1."
            )
        # Two lengths, or one that only some understand, are how requests are smuggled
        # (RFC 9112, 6.1 and 11.2).
        if "TRANSFER_ENCODING" in headers:
            return Refused(400, "INVALID_REQUEST", "HTTP/1.0 has no Transfer-Encoding.")
        lowered = head.lower()
        if _CODING in lowered and (lowered.count(_CODING) > 1 or not _CHUNKED.search(lowered)):
            return Refused(400, "INVALID_REQUEST", "The Transfer-Encoding is not understood.")
        if self.chunked and "CONTENT_LENGTH" in headers:
            return Refused(
                400,
                "INVALID_REQUEST",
                "A request has either a Content-Length or a Transfer-Encoding, not both.",
            )
        if not self.request_uri.isprintable():  # urlsplit would take some of them out
            text = "The request's target holds characters that must be percent-encoded."
            return Refused(400, "INVALID_REQUEST", text)
        if self.proxy_netloc and "HOST" in headers:
            headers["HOST"] = self.proxy_netloc  # RFC 9112, 3.2.2
        if self.chunked:
            self.body_rcv = ChunkedBody(self.body_rcv.getbuf())
        if self.body_rcv is None:
            return None
        try:
            self.limit = self.site.body_limit(self.command, decoded_path(self.path))
        except Exception:
            self.site.log.exception("No body limit could be found for %s.", self.path)
            return Refused(500, "INTERNAL_ERROR", "Something unexpected went wrong.")
        return self._too_large() if self.content_length > self.limit else None

    def _look_for_upgrade(self, head: bytes) -> None:
        if self.site.upgrades.find(decoded_path(self.path)) is None:
            return
        if self.body_rcv is not None:
            self.error = Refused(400, "INVALID_REQUEST", "A WebSocket handshake has no body.")
        else:
            self.upgrade = True
            self.head = head

    def _too_large(self) -> Refused:
        return Refused(
            413,
            "PAYLOAD_TOO_LARGE",
            f"The body is too large: at most {self.limit} bytes are taken here.",
        )

    def _drop_body(self) -> None:
        self.close()
        self.body_rcv = None
        self.content_length = 0
        self.expect_continue = False
