"""Who may call (contract, 1.2). ``GET /synced`` returns private keys and ``GET /drop`` consumes
messages, so a page of another site must reach neither, and another machine only with a token."""

from __future__ import annotations

from typing import Final

from builtin_plugins.drops.answers import ALLOWED, refusal
from plugin_sdk import (
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Request,
    Settings,
    Unauthenticated,
)

__all__ = ["PERMISSION", "check_caller", "check_path"]

PERMISSION: Final = "MANAGE_SETTINGS"


def check_caller(request: Request, settings: Settings) -> None:
    """Rules 2 to 5; the Host header was looked at by the host. Raises Unauthenticated or
    Forbidden. Forwarding headers are never consulted."""
    bearer = _sent_bearer(request)
    if bearer and request.principal.holds(PERMISSION):
        return
    if not request.loopback or settings["requireToken"]:
        if bearer and request.principal.signed_in:
            raise refusal(Forbidden, f"Missing permission: {PERMISSION}")
        raise refusal(Unauthenticated, "Send a token as Authorization: Bearer.")
    origin = request.headers.get("origin")
    if origin is not None and origin.lower() != f"{request.scheme}://{request.host}".lower():
        raise refusal(Forbidden, "Pages of other sites may not call this.")
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise refusal(Forbidden, "Pages of other sites may not call this.")


def check_path(request: Request) -> None:
    """Unknown paths and methods, in the form of this contract. Raises NotFound,
    MethodNotAllowed."""
    allow = ALLOWED.get(request.path)
    if allow is None:
        raise refusal(NotFound, "There is nothing here.")
    if request.method not in allow.split(", "):
        text = f"{request.path} does not take {request.method}."
        raise refusal(MethodNotAllowed, text, headers={"Allow": allow})


def _sent_bearer(request: Request) -> bool:
    """A browser adds a cookie to what another site made it send; it never adds a token."""
    scheme = request.headers.get("authorization", "").partition(" ")[0]
    return request.token is not None and scheme.lower() == "bearer"
