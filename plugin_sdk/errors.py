"""Errors in the words of the domain, one tree for plugins and host alike.

* StageboxError                        500 INTERNAL_ERROR
  * Invalid                            400 INVALID_REQUEST
    * MissingParameter                 400 INVALID_REQUEST (also a KeyError)
  * Unauthenticated                    401 UNAUTHORIZED
  * Forbidden                          403 FORBIDDEN
  * NotFound                           404 NOT_FOUND
  * MethodNotAllowed                   405 METHOD_NOT_ALLOWED
  * Conflict                           409 CONFLICT
  * TooLarge                           413 PAYLOAD_TOO_LARGE
  * UnsupportedMediaType               415 UNSUPPORTED_MEDIA_TYPE
  * RangeNotSatisfiable                416 RANGE_NOT_SATISFIABLE
  * UpgradeRequired                    426 UPGRADE_REQUIRED
  * RateLimited                        429 TOO_MANY_REQUESTS
  * UpstreamFailed                     502 UPSTREAM_UNREACHABLE
    * ProviderError                    502 UPSTREAM_UNREACHABLE
  * Unavailable                        503 UNAVAILABLE
    * ProviderUnavailable              503 PROVIDER_UNAVAILABLE
    * DatabaseUnavailable              503 DATABASE_UNAVAILABLE
  * CapabilityMissing                  500 CAPABILITY_MISSING

An error raised on purpose is an answer, not a failure: the host renders it as
``{"error": code, "message": message, "details": [...]}`` and does not count it against the
plugin, unless its status is 500.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "CapabilityMissing",
    "Conflict",
    "DatabaseUnavailable",
    "Forbidden",
    "Invalid",
    "MethodNotAllowed",
    "MissingParameter",
    "NotFound",
    "Problem",
    "ProviderError",
    "ProviderUnavailable",
    "RangeNotSatisfiable",
    "RateLimited",
    "StageboxError",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnsupportedMediaType",
    "UpgradeRequired",
    "UpstreamFailed",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: a dotted path (``""`` is the whole) and a sentence."""

    path: str
    message: str


class StageboxError(Exception):
    """The root. ``status`` is the HTTP status, ``code`` the stable word that clients branch on.

    ``code`` may be narrowed for one raise: ``Conflict("...", code="LAST_ADMIN")``.
    ``retry_after`` is in seconds and becomes the Retry-After header (RFC 9110, 10.2.3).
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "INTERNAL_ERROR"
    default_message: ClassVar[str] = "Something unexpected went wrong."

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        details: Iterable[Problem] = (),
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message: str = message or self.default_message
        self.code: str = code or self.default_code
        self.details: tuple[Problem, ...] = tuple(details)
        self.headers: Mapping[str, str] = dict(headers or {})
        self.retry_after = retry_after
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross process borders whole, whatever their constructor takes."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    cls: type[StageboxError], args: tuple[Any, ...], state: dict[str, Any]
) -> StageboxError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class Invalid(StageboxError):
    """The request, or a value, is not what was asked for; ``details`` lists every problem."""

    status = 400
    default_code = "INVALID_REQUEST"
    default_message = "The request is not valid."


class MissingParameter(Invalid, KeyError):
    """A query or path parameter that the handler needs was not sent.

    It is a KeyError too, so that ``in`` and ``get`` of the mapping work as usual.
    """

    def __init__(self, name: str) -> None:
        text = f"The query parameter {name} is missing."
        Invalid.__init__(self, text, details=[Problem(name, "is missing")])

    def __str__(self) -> str:  # KeyError would show the repr of its argument
        return self.message


class Unauthenticated(StageboxError):
    """Nobody is signed in, or the token is not valid any more."""

    status = 401
    default_code = "UNAUTHORIZED"
    default_message = "Sign in first: this needs a valid token."


class Forbidden(StageboxError):
    """Signed in, but not allowed."""

    status = 403
    default_code = "FORBIDDEN"
    default_message = "This is not allowed."


class NotFound(StageboxError):
    """What was named does not exist."""

    status = 404
    default_code = "NOT_FOUND"
    default_message = "There is nothing here."


class MethodNotAllowed(StageboxError):
    """The path exists, but not for this method; ``headers`` carries Allow."""

    status = 405
    default_code = "METHOD_NOT_ALLOWED"
    default_message = "This path does not take that method."


class Conflict(StageboxError):
    """The request is fine, but not in the present state."""

    status = 409
    default_code = "CONFLICT"
    default_message = "This conflicts with the present state."


class TooLarge(StageboxError):
    """The body, or a part of it, is larger than allowed."""

    status = 413
    default_code = "PAYLOAD_TOO_LARGE"
    default_message = "The body is too large."


class UnsupportedMediaType(StageboxError):
    """The body's Content-Type is not one that this route takes."""

    status = 415
    default_code = "UNSUPPORTED_MEDIA_TYPE"
    default_message = "This route does not take that Content-Type."


class RangeNotSatisfiable(StageboxError):
    """No byte of the requested range exists (RFC 9110, 15.5.17)."""

    status = 416
    default_code = "RANGE_NOT_SATISFIABLE"
    default_message = "The requested range lies outside the content."


class UpgradeRequired(StageboxError):
    """This path speaks another protocol only (RFC 9110, 15.5.22)."""

    status = 426
    default_code = "UPGRADE_REQUIRED"
    default_message = "This path speaks WebSocket only."


class RateLimited(StageboxError):
    """Too much in too short a time; ``retry_after`` says when to come back."""

    status = 429
    default_code = "TOO_MANY_REQUESTS"
    default_message = "Too many requests; try again later."


class UpstreamFailed(StageboxError):
    """A server that we asked did not give a usable answer."""

    status = 502
    default_code = "UPSTREAM_UNREACHABLE"
    default_message = "The other server could not be reached."


class ProviderError(UpstreamFailed):
    """A provider could not answer. ``permanent``: asking again will not help (a refused key)."""

    default_message = "The provider could not answer."

    def __init__(
        self, message: str = "", retry_after: float | None = None, permanent: bool = False
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.permanent = permanent


class Unavailable(StageboxError):
    """Not now; ``retry_after`` says when to try again."""

    status = 503
    default_code = "UNAVAILABLE"
    default_message = "This is not available right now."


class ProviderUnavailable(Unavailable):
    """The provider that this needs (storage, say) is not there."""

    default_code = "PROVIDER_UNAVAILABLE"
    default_message = "The provider that this needs is not available."


class DatabaseUnavailable(Unavailable):
    """The database does not answer; nothing was written."""

    default_code = "DATABASE_UNAVAILABLE"
    default_message = "The database does not answer."


class CapabilityMissing(StageboxError):
    """The plugin uses something that its manifest does not declare under ``capabilities``."""

    default_code = "CAPABILITY_MISSING"

    def __init__(self, capability: str, plugin_id: str) -> None:
        super().__init__(
            f'Plugin {plugin_id} uses "{capability}" without declaring it: '
            f'add "{capability}" to "capabilities" in its plugin.json.'
        )
        self.capability = capability
