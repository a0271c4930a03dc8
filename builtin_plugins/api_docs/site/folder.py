"""A foreign site: the files of a folder, as they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from builtin_plugins.api_docs.site.paths import candidates, is_safe
from plugin_sdk import NotFound, Response

__all__ = ["Folder"]


class Folder:
    """Files whose real path lies inside ``root`` only. No listing, nothing that begins with a
    dot."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def response(self, path: str, headers: Mapping[str, str]) -> Response | None:
        """The file that ``path`` means, or None."""
        if not is_safe(path):
            return None
        root = os.path.realpath(self._root)
        for name in candidates(path):
            found = _inside(root, name)
            if found is not None:
                return Response.file(found, headers=headers)
        return None

    def missing(self, headers: Mapping[str, str]) -> Response | None:
        """The site's own page for what is not there, with status 404."""
        found = self.response("404.html", headers)
        return None if found is None else replace(found, status=404)

    def check(self) -> None:
        """Raises NotFound (DOCS_NOT_BUILT) when there is no such folder."""
        if not self._root.is_dir():
            raise NotFound(
                "The setting docusaurusDir of api_docs names no folder: build the site first, or"
                " leave it empty for the pages that come with Stagebox.",
                code="DOCS_NOT_BUILT",
            )


def _inside(root: str, name: str) -> Path | None:
    """The file's real path. What changes between this look and the opening was changed by
    whoever owns the folder."""
    try:
        real = os.path.realpath(os.path.join(root, name), strict=True)  # noqa: PTH118
    except (OSError, ValueError):
        return None
    if os.path.commonpath([root, real]) != root or not os.path.isfile(real):  # noqa: PTH113
        return None
    if any(part.startswith(".") for part in Path(real).relative_to(root).parts):
        return None
    return Path(real)
