"""Which paths a site may be asked for, and in what order its files are tried."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["candidates", "is_safe"]


def is_safe(path: str) -> bool:
    """Whether no segment is empty (apart from one slash at the end) or begins with a dot, and
    there is neither a backslash nor a control character."""
    if not path:
        return True
    if any(c < " " or c in "\\\x7f" for c in path):
        return False
    segments = path.removesuffix("/").split("/")
    return all(segment and not segment.startswith(".") for segment in segments)


def candidates(path: str) -> Iterator[str]:
    """The names of files that a safe path may mean, the best first: ``P``, ``P/index.html``,
    ``P.html``; a slash at the end leaves out the first."""
    bare = path.removesuffix("/")
    if not bare:
        yield "index.html"
        return
    if bare == path:
        yield bare
    yield f"{bare}/index.html"
    yield f"{bare}.html"
