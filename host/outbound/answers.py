"""What comes back: an answer read piece by piece, within its time and size."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpcore

from host.outbound.messages import Message
from host.outbound.network import Deadline, StaleConnection
from plugin_sdk import HttpStream, Invalid, StageboxError, UpstreamFailed

__all__ = ["Answer", "explained"]

_PIECE: Final = 65536
_GZIP_OVERHEAD: Final = 4096


@contextmanager
def explained(host: str) -> Iterator[None]:
    """Turns what httpcore raises into errors of the SDK that name the host but no part of the
    URL; StaleConnection comes through."""
    try:
        yield
    except httpcore.LocalProtocolError as error:
        raise Invalid("The method or a header is none that HTTP can carry.") from error
    except httpcore.RemoteProtocolError as error:
        raise UpstreamFailed(f"{host} did not answer as HTTP asks for.") from error
    except httpcore.TimeoutException as error:
        raise UpstreamFailed(f"{host} did not answer in time.") from error
    except httpcore.NetworkError as error:
        raise UpstreamFailed(f"{host} broke the connection off.") from error


class Answer(HttpStream):
    """An answer whose head has arrived. ``on_close`` may be set; it is called once."""

    def __init__(
        self,
        sent: Message,
        response: httpcore.Response,
        *,
        deadline: Deadline,
        end: float,
        max_bytes: int,
    ) -> None:
        self._sent = sent
        self._response = response
        self._deadline = deadline
        self._end = end
        self._max_bytes = max_bytes
        self.on_close: Callable[[], object] | None = None
        self._begun = False
        self._headers = _headers(response)
        encoding = self._headers.get("content-encoding", "identity").strip().lower()
        self._gzipped = sent.decode and encoding in ("gzip", "x-gzip") and self._has_body
        self._readable = not sent.decode or self._gzipped or encoding in ("", "identity")
        if self._gzipped:  # both speak of what was sent, not of what is handed on
            del self._headers["content-encoding"]
            self._headers.pop("content-length", None)

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def url(self) -> str:
        """Where the answer came from, after redirects."""
        return str(self._sent.url)

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    @property
    def _has_body(self) -> bool:
        status = self._response.status
        return self._sent.method != "HEAD" and status >= 200 and status not in (204, 304)

    def chunks(self) -> Iterator[bytes]:
        if not self._has_body:
            self._finish()
            return
        if not self._readable:
            raise UpstreamFailed(f"{self._sent.host} answered in an encoding nobody asked for.")
        announced = self._headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            raise self._too_large()
        count = 0
        for piece in self._decoded() if self._gzipped else self._pieces(self._max_bytes):
            count += len(piece)
            if count > self._max_bytes:
                raise self._too_large()
            yield piece

    def read(self) -> bytes:
        """The whole content."""
        return b"".join(self.chunks())

    def close(self) -> None:
        """Gives the connection back, or closes it when something of the answer is left."""
        callback, self.on_close = self.on_close, None
        try:
            self._finish()
            self._response.close()
        finally:
            if callback is not None:
                callback()

    def _finish(self) -> None:
        """An answer without content has an end too, and only when that was read is the
        connection good for the next request: also for a caller who looks at the status alone.
        It came with the head, so nobody waits for it."""
        empty = not self._has_body or self._headers.get("content-length") == "0"
        if empty and not self._begun:
            try:
                for _ in self._pieces(0):
                    pass
            except (StageboxError, StaleConnection):
                pass  # the connection is closed then

    def _pieces(self, limit: int) -> Iterator[bytes]:
        """As sent; raises UpstreamFailed when more than ``limit`` bytes come or time is over."""
        self._begun = True
        source = self._response.iter_stream()
        count = 0
        while True:
            with self._deadline.until(self._end):
                self._deadline.left(self._sent.host)
                with explained(self._sent.host):
                    piece = next(source, None)
            if piece is None:
                return
            count += len(piece)
            if count > limit:
                raise self._too_large()
            yield piece

    def _decoded(self) -> Iterator[bytes]:
        """Without gzip (RFC 1952; several members are one content), never more than a piece at
        a time: a small answer may unfold to a huge one."""
        decoder, begun = zlib.decompressobj(wbits=31), False
        try:
            for piece in self._pieces(self._max_bytes + _GZIP_OVERHEAD):
                data = piece
                while data:
                    if decoder.eof:
                        decoder = zlib.decompressobj(wbits=31)
                    begun = True
                    yield decoder.decompress(data, _PIECE)
                    data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if begun and not decoder.eof:
                raise UpstreamFailed(f"The answer of {self._sent.host} was cut short.")
        except zlib.error as error:
            raise UpstreamFailed(f"The answer of {self._sent.host} is no valid gzip.") from error

    def _too_large(self) -> UpstreamFailed:
        return UpstreamFailed(
            f"The answer of {self._sent.host} is larger than {self._max_bytes} bytes."
        )


def _headers(response: httpcore.Response) -> dict[str, str]:
    """By name in lower case; what was sent twice is joined (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
