"""What a handler returned, made the answer that Falcon sends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import falcon

from host.web.error_bodies import encode_json
from host.web.files import Content, content_disposition, open_content
from host.web.headers import check_header
from host.web.leases import Lease
from host.web.ranges import plan
from host.web.streams import CHUNK_BYTES, Chunks, FileSlice, read_chunks
from plugin_sdk import FileBody, Logger, Response, StreamBody, TextBody

__all__ = ["Answers", "BadAnswer"]

PAGE_POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; "
    "object-src 'none'; img-src 'self' data: blob:; media-src 'self' blob:"
)
DRAWING_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""For documents that may hold scripts but are not meant to be pages."""

_POLICIES: Final = {
    "text/html": PAGE_POLICY,
    "application/xhtml+xml": DRAWING_POLICY,
    "image/svg+xml": DRAWING_POLICY,
    "application/xml": DRAWING_POLICY,
    "text/xml": DRAWING_POLICY,
}
_BODILESS: Final = frozenset({204, 304})


class BadAnswer(TypeError):
    """A handler returned something that cannot be sent."""


class Answers:
    """Writes a handler's result into Falcon's response.

    Every method returns whether the body keeps the lease until it is closed."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def write(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        result: Any,
        headers: Mapping[str, str],
        lease: Lease,
        plugin_id: str,
        request_id: str,
    ) -> bool:
        """Raises BadAnswer, ValueError or TypeError for what cannot be sent; NotFound and
        RangeNotSatisfiable for files."""
        if not isinstance(result, Response):
            if result is None:
                resp.status = 204
            else:
                resp.data = encode_json(result)
                resp.content_type = "application/json"
            return False
        status = result.status
        if status != 200:
            if not isinstance(status, int) or not 200 <= status <= 599:
                raise BadAnswer(f"{status!r} is no status of an answer (200 to 599).")
            resp.status = status
        if result.headers:
            _write_headers(resp, result.headers)
        body = result.body
        if isinstance(body, TextBody):
            if result.content_type:
                _write_type(resp, result.content_type)
            if status not in _BODILESS:
                resp.data = body.content
            return False
        if isinstance(body, FileBody):
            return self._file(req, resp, result, body, headers, lease)
        if isinstance(body, StreamBody):
            return self._stream(req, resp, result, body, lease, plugin_id, request_id)
        if status not in _BODILESS:
            resp.data = encode_json(body)
            _write_type(resp, result.content_type)
        return False

    def _stream(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        result: Response,
        body: StreamBody,
        lease: Lease,
        plugin_id: str,
        request_id: str,
    ) -> bool:
        _write_type(resp, result.content_type)
        if body.length is not None:
            resp.set_header("Content-Length", str(body.length))
        chunks = self._chunks(body.chunks, lease, plugin_id, request_id)
        if req.method == "HEAD" or result.status in _BODILESS:
            chunks.close()
            return True
        try:
            chunks.start()
        except StopIteration:
            pass
        except BaseException:
            lease.failed = True
            chunks.close()
            raise
        resp.stream = chunks
        return True

    def _chunks(
        self, chunks: Iterable[bytes], lease: Lease, plugin_id: str, request_id: str
    ) -> Chunks:
        def failed() -> None:
            lease.failed = True

        return Chunks(
            chunks,
            failed=failed,
            closed=lease.release,
            log=self._log,
            plugin_id=plugin_id,
            request_id=request_id,
        )
