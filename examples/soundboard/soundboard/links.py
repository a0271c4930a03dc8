"""Whether the addresses of favourites still lead to a sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from plugin_sdk import Forbidden, Http, Invalid, JobRun, UpstreamFailed

from .library import Library

__all__ = ["check", "problem"]

TIMEOUT: Final = 5.0
HEAD_REFUSED: Final = (405, 501)
"""Statuses of servers that are there, but do not take HEAD (RFC 9110, 9.3.2)."""


def check(
    favorites: Sequence[Mapping[str, str]], base: str, library: Library, http: Http, run: JobRun
) -> dict[str, Any]:
    """``{"checked": int, "broken": [{"label", "url", "reason"}]}``; after a cancel, as far as it
    got."""
    checked = 0
    broken: list[dict[str, str]] = []
    for favorite in favorites:
        if run.cancelled:
            break
        run.progress(checked, len(favorites), favorite["label"])
        reason = problem(favorite["url"], base, library, http)
        if reason is not None:
            broken.append({**favorite, "reason": reason})
        checked += 1
    run.progress(checked, len(favorites))
    return {"checked": checked, "broken": broken}


def problem(url: str, base: str, library: Library, http: Http) -> str | None:
    """What is wrong with an address, in a sentence; None when all is well.

    ``base`` is where the board's own sounds are: what lies below it is looked up, not fetched."""
    if url.startswith("/"):
        name = url.removeprefix(f"{base}/sounds/")
        return None if name in library else "There is no such sound on this host."
    try:
        reply = http.request("HEAD", url, timeout=TIMEOUT, redirects=3)
    except (UpstreamFailed, Forbidden, Invalid) as error:
        return error.message
    if reply.ok or reply.status in HEAD_REFUSED:
        return None
    return f"The server answers with status {reply.status}."
