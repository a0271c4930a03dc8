"""What a handler returned, made the answer that Falcon sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final

import falcon

from host.web.error_bodies import encode_json
from host.web.exchange import EXCHANGE, Exchange
from host.web.files import Content, content_disposition, open_content
from host.web.headers import EnvironHeaders, check_header
from host.web.leases import Lease
from host.web.ranges import Plan, plan
from host.web.streams import CHUNK_BYTES, Chunks, FileChunks, FileSlice, read_chunks
from plugin_sdk import JSON, FileBody, Logger, Response, StreamBody, TextBody

__all__ = ["Answers", "BadAnswer", "Hold"]

Hold = Callable[[], Lease]
"""Makes the lease of a body that is sent after the handler returned."""

PAGE_POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; "
    "object-src 'none'; img-src 'self' data: blob:; media-src 'self' blob:"
)
DRAWING_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""For documents that may hold scripts but are not meant to be pages."""

_POLICIES: Final = {
    "text/html": PAGE_POLICY,
    "application/xml": DRAWING_POLICY,
    "text/xml": DRAWING_POLICY,
    "text/xsl": DRAWING_POLICY,  # browsers read it as XML, too
}
_DIRECT_SECONDS: Final = 3600
"""A player asks for one part after the other, at the address to which it was sent first."""
_BODILESS: Final = frozenset({204, 304})
_OWN_HEADERS: Final = frozenset({"content-length", "x-content-type-options", "x-request-id"})


class BadAnswer(TypeError):
    """A handler returned something that cannot be sent."""


class Answers:
    """Writes a handler's result into Falcon's response.

    What may fail comes first, so that an error finds the response untouched."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def write(
        self, req: falcon.Request, resp: falcon.Response, result: Any, hold: Hold
    ) -> Lease | None:
        """The lease, where the body keeps one until it is closed.

        Raises BadAnswer, ValueError or TypeError for what cannot be sent; NotFound and
        RangeNotSatisfiable for files; whatever a stream raises before its first byte."""
        if not isinstance(result, Response):
            if result is None:
                resp.status = 204
            else:
                resp.data = encode_json(result)
                resp.content_type = JSON
            return None
        _check_head(result)
        body = result.body
        if isinstance(body, FileBody):
            return self._file(req, resp, result, body, hold)
        if isinstance(body, StreamBody):
            return self._stream(req, resp, result, body, hold)
        data = body.content if isinstance(body, TextBody) else encode_json(body)
        _write_head(resp, result, result.content_type)
        if result.status not in _BODILESS:
            resp.data = data
        return None

    def _file(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        result: Response,
        body: FileBody,
        hold: Hold,
    ) -> Lease | None:
        content = open_content(body, self._log)
        try:
            _policy(content.content_type)
            decided = _decide(req, result, content)
            address = _elsewhere(req, result, body, decided)
            if address is not None:
                content.close()
                _write_head(resp, Response.redirect(address, 307), "")
                resp.set_header("Cache-Control", "no-store")  # it ends in an hour
                return None
            lease = None
            if req.method != "HEAD" and decided.length:
                lease = self._send(req, resp, content, decided, hold)
        except BaseException:
            content.close()
            raise
        if lease is None:
            content.close()
        _write_file_head(resp, result, body, content, decided)
        return lease

    def _send(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        content: Content,
        decided: Plan,
        hold: Hold,
    ) -> Lease:
        stream = content.open(decided.start, decided.length)
        try:
            lease = hold()
            if _seekable(stream):
                part = FileSlice(stream, decided.length, lease)
                lease.threadless = True
                resp.stream = req.env.get("wsgi.file_wrapper", FileChunks)(part, CHUNK_BYTES)
            else:
                resp.stream = self._chunks(req, read_chunks(stream, decided.length), lease)
        except BaseException:
            stream.close()
            raise
        return lease

    def _stream(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        result: Response,
        body: StreamBody,
        hold: Hold,
    ) -> Lease | None:
        lease = hold()
        chunks = self._chunks(req, body.chunks, lease)
        headless = req.method == "HEAD" or result.status in _BODILESS
        if headless:
            chunks.discard()
            resp.stream = ()  # with none Falcon says that there are 0 bytes
        else:
            chunks.start()
            resp.stream = chunks
        _write_head(resp, result, result.content_type)
        if body.length is not None and result.status not in _BODILESS:
            resp.set_header("Content-Length", str(body.length))
        return None if headless else lease

    def _chunks(self, req: falcon.Request, chunks: Iterable[bytes], lease: Lease) -> Chunks:
        exchange: Exchange = req.env[EXCHANGE]
        extra = {"plugin": exchange.plugin_id, "request": exchange.id}
        return Chunks(chunks, lease, self._log, extra)


def _decide(req: falcon.Request, result: Response, content: Content) -> Plan:
    conditional = req.method in ("GET", "HEAD") and result.status == 200
    return plan(
        req.method if conditional else "",
        EnvironHeaders(req.env) if conditional else {},
        size=content.size,
        etag=content.etag,
        modified=content.modified,
    )


def _elsewhere(req: falcon.Request, result: Response, body: FileBody, decided: Plan) -> str | None:
    """Where the client may fetch a blob by itself, if nothing of the answer would be lost."""
    if not body.direct or req.method != "GET" or decided.status not in (200, 206):
        return None
    if isinstance(body.source, Path) or body.filename is not None or body.attachment:
        return None
    if result.status != 200 or result.content_type not in ("", body.source.info.content_type):
        return None
    return body.source.url(_DIRECT_SECONDS)


def _check_head(result: Response) -> None:
    status = result.status
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise BadAnswer(f"{status!r} is no status of an answer (200 to 599).")
    for name, value in result.headers.items():
        refused = check_header(name, value)
        if refused is not None:
            raise BadAnswer(f"A header of the answer cannot be sent: {refused}.")
    if result.content_type:
        _policy(result.content_type)


def _write_head(resp: falcon.Response, result: Response, content_type: str) -> None:
    """Status, the handler's headers, Content-Type, and the policy that goes with that."""
    if result.status != 200:
        resp.status = result.status
    policy = None
    if content_type and result.status not in _BODILESS:
        resp.content_type = content_type
        policy = _policy(content_type)
    for name, value in result.headers.items():
        lower = name.lower()
        if lower == "set-cookie":
            resp.append_header(name, value)
        elif lower not in _OWN_HEADERS:
            resp.set_header(name, value)
            if lower == "content-security-policy":
                policy, content_type = None, ""
            elif lower == "content-type" and content_type:
                policy = _policy(value)
    if policy is not None:
        resp.set_header("Content-Security-Policy", policy)


def _write_file_head(
    resp: falcon.Response, result: Response, body: FileBody, content: Content, decided: Plan
) -> None:
    content_type = result.content_type or content.content_type
    _write_head(resp, result, "" if decided.status == 304 else content_type)
    for name, value in decided.headers:
        resp.set_header(name, value)
    if decided.status != 200:
        resp.status = decided.status
    if decided.status == 304:
        return
    resp.set_header("Content-Length", str(decided.length))
    disposition = content_disposition(body.filename, attachment=body.attachment)
    if disposition is not None and resp.get_header("content-disposition") is None:
        resp.set_header("Content-Disposition", disposition)


@lru_cache(maxsize=256)
def _policy(content_type: str) -> str | None:
    """The default Content-Security-Policy of a type. Raises BadAnswer for what is no type."""
    refused = check_header("Content-Type", content_type)
    if refused is not None:
        raise BadAnswer(f"The content type of the answer cannot be sent: {refused}.")
    kind = content_type.partition(";")[0].strip().lower()
    return DRAWING_POLICY if kind.endswith("+xml") else _POLICIES.get(kind)


def _seekable(stream: BinaryIO) -> bool:
    try:
        return stream.seekable()
    except (AttributeError, OSError, ValueError):
        return False
