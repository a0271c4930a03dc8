"""Errors on their way out: one place that makes an answer of every error, whoever raised it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from host.logs import new_incident
from host.plugins.catalog import ErrorBody
from host.plugins.gate import Gate
from host.web.headers import check_header
from plugin_sdk import JSON, Logger, Request, Response, StageboxError, Unavailable

__all__ = ["HOST", "Errors", "Owner", "Rendered", "encode_json", "error_of_status"]

_encoder: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encode_json(value: Any) -> bytes:
    """Compact JSON in UTF-8. Raises ValueError, TypeError or RecursionError for what is none."""
    try:
        return _encoder.encode(value).encode()
    except UnicodeEncodeError:  # a lone surrogate is legal JSON when it is escaped
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


class Rendered(NamedTuple):
    """A finished answer. Content-Length is left to whoever sends it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Owner(Protocol):
    """Who answers for a path: an endpoint, a plugin, or the host."""

    @property
    def plugin_id(self) -> str: ...
    @property
    def gate(self) -> Gate | None: ...
    @property
    def error_body(self) -> ErrorBody | None: ...


class _Host(NamedTuple):
    plugin_id: str = ""
    gate: Gate | None = None
    error_body: ErrorBody | None = None


HOST: Final[Owner] = _Host()
"""The owner of all paths that no plugin claims."""


class _Foreign(StageboxError):
    """An error that is known by status and code only: the server's, or Falcon's."""


def error_of_status(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> StageboxError:
    """An error of any status."""
    error = _Foreign(message, code=code, headers=headers)
    error.status = status  # type: ignore[misc]
    return error


class Errors:
    """Renders errors in the owner's shape, or in the host's:
    ``{"error", "message", "details"?, "incident"?}``."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def render(
        self,
        error: StageboxError,
        request: Request,
        owner: Owner,
        *,
        incident: str | None = None,
        leased: bool = False,
    ) -> Rendered:
        """Never raises. ``leased`` says that the caller holds a lease on the owner's gate."""
        worded = None
        if owner.error_body is not None:
            worded = self._ask(owner, error, request, incident, leased=leased)
        body, content_type = worded or (encode_json(_host_body(error, incident)), JSON)
        return Rendered(error.status, self._headers(error, owner, content_type), body)

    def answer(
        self,
        error: BaseException,
        request: Request,
        owner: Owner,
        *,
        inside: bool = False,
        leased: bool = False,
        shown: str = "",
    ) -> Rendered:
        """Renders whatever was raised. What nobody intended becomes a 500 that says nothing but
        its incident, which the log explains; it is laid to the plugin when it came from
        ``inside`` its code. ``shown`` stands for a path that must not be logged."""
        incident = None
        if not isinstance(error, StageboxError) or error.status == 500:
            incident = new_incident()
            self._log.error(
                "%s %s failed.",
                request.method,
                shown or request.path,
                exc_info=error,
                extra={
                    "plugin": owner.plugin_id if inside else "",
                    "request": request.id,
                    "incident": incident,
                },
            )
        known = error if isinstance(error, StageboxError) else StageboxError()
        return self.render(known, request, owner, incident=incident, leased=leased)

    def _headers(
        self, error: StageboxError, owner: Owner, content_type: str
    ) -> list[tuple[str, str]]:
        # No cache may keep an error: a 404 of today may be a page tomorrow.
        headers = {"content-type": content_type, "cache-control": "no-store"}
        if error.status == 401 and error.code == "UNAUTHORIZED":
            headers["www-authenticate"] = "Bearer"
        if error.retry_after is not None:
            headers["retry-after"] = str(max(0, math.ceil(error.retry_after)))
        for name, value in error.headers.items():
            refused = check_header(name, value)
            if refused is None:
                headers[name.lower()] = value
            elif error.status != 426:  # Upgrade is the server's to send
                self._log.warning(
                    "A header of an error was left out: %s.",
                    refused,
                    extra={"plugin": owner.plugin_id},
                )
        return list(headers.items())

    def _ask(
        self,
        owner: Owner,
        error: StageboxError,
        request: Request,
        incident: str | None,
        *,
        leased: bool,
    ) -> tuple[bytes, str] | None:
        """The plugin's own body and its type; None when it has none, is gone, or fails."""
        assert owner.error_body is not None
        gate = None if leased else owner.gate
        if gate is not None:
            try:
                gate.enter(slot=False)
            except Unavailable:
                return None
        failed = True
        try:
            body = owner.error_body(error, request)
            worded = None if body is None else _worded(body, incident)
            failed = False
            return worded
        except (Exception, SystemExit):
            self._log.exception(
                "error_body failed; the host's own shape was sent.",
                extra={"plugin": owner.plugin_id, "request": request.id},
            )
            return None
        finally:
            if gate is not None:
                gate.leave(slot=False, failed=failed)


def _worded(body: Any, incident: str | None) -> tuple[bytes, str]:
    """Raises TypeError for a type that cannot be sent, and what `encode_json` raises."""
    content_type = JSON
    if isinstance(body, Response):
        body, content_type = body.body, body.content_type
        refused = check_header("Content-Type", content_type)
        if refused is not None:
            raise TypeError(refused)
    return encode_json(_with_incident(body, incident)), content_type


def _with_incident(body: Any, incident: str | None) -> Any:
    if incident is not None and isinstance(body, dict) and "incident" not in body:
        return {**body, "incident": incident}
    return body


def _host_body(error: StageboxError, incident: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"error": error.code, "message": error.message}
    if error.details:
        body["details"] = [
            {"path": problem.path, "message": problem.message} for problem in error.details
        ]
    if incident is not None:
        body["incident"] = incident
    return body
