"""Files of other packages, served as they are: the browser bundles of Scalar and Swagger UI.

The packages are read, never imported: all that is wanted of them lies in their folders as data.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from plugin_sdk import NotFound, Request, Response

__all__ = ["Asset", "Assets", "find_packaged"]

_IMMUTABLE: Final = "public, max-age=31536000, immutable"


def find_packaged(package: str, path: str) -> Path | None:
    """A file of an installed package, or None when that is not installed or has no such file."""
    try:
        spec = importlib.util.find_spec(package)  # a top-level name: nothing is imported
    except (ImportError, ValueError):
        return None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / path
        if found.is_file():
            return found
    return None


class Asset:
    """A file under a name that holds a hash of its content, so that it may be kept for ever.

    Hash and gzip copy are made when they are first asked for; the copy is kept in ``prepared``.
    """

    def __init__(self, source: Path, content_type: str, prepared: Path) -> None:
        self._source = source
        self._content_type = content_type
        self._prepared = prepared
        self._lock = threading.Lock()
        self._hash = ""

    @property
    def digest(self) -> str:
        """16 hex digits of SHA-256."""
        with self._lock:
            if not self._hash:
                with self._source.open("rb") as file:
                    self._hash = hashlib.file_digest(file, "sha256").hexdigest()[:16]
            return self._hash

    @property
    def name(self) -> str:
        """As it is asked for: ``swagger-ui.0123456789abcdef.css``."""
        return f"{self._source.stem}.{self.digest}{self._source.suffix}"

    def response(self, request: Request) -> Response:
        """In gzip where that is taken. ETags are strong, so the two codings have two."""
        headers = {"Cache-Control": _IMMUTABLE, "Vary": "Accept-Encoding"}
        path, etag = self._source, self.digest
        if _takes_gzip(request.headers.get("accept-encoding", "")):
            path, etag = self._compressed(), f"{self.digest}-gzip"
            headers["Content-Encoding"] = "gzip"
        return Response.file(path, content_type=self._content_type, etag=etag, headers=headers)

    def _compressed(self) -> Path:
        target = self._prepared / f"{self.name}.gz"
        digest = self.digest
        with self._lock:
            if not target.exists():
                self._compress(target, digest)
        return target

    def _compress(self, target: Path, digest: str) -> None:
        """Into place at once: other processes may look for it too. Older versions go."""
        descriptor, temporary = tempfile.mkstemp(dir=self._prepared, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(gzip.compress(self._source.read_bytes(), 6, mtime=0))
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        for other in self._prepared.glob(f"{self._source.stem}.*{self._source.suffix}.gz"):
            if digest not in other.name:
                other.unlink(missing_ok=True)


class Assets:
    """An allow-list of assets; nothing else is served."""

    def __init__(self, assets: Iterable[Asset]) -> None:
        self._assets = tuple(assets)

    def response(self, name: str, request: Request) -> Response:
        """Raises NotFound for an unknown name."""
        for asset in self._assets:
            if asset.name == name:
                return asset.response(request)
        raise NotFound("There is no such file.")


def _takes_gzip(accepted: str) -> bool:
    """Accept-Encoding (RFC 9110, 12.5.3): whether gzip is named, or all are, with a weight."""
    weights: dict[str, float] = {}
    for entry in accepted.split(","):
        coding, _, parameters = entry.partition(";")
        name, _, value = parameters.partition("=")
        try:
            weight = float(value) if name.strip().lower() == "q" else 1.0
        except ValueError:
            weight = 0.0
        weights[coding.strip().lower()] = weight
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0
