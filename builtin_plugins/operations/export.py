"""Sending what one plugin keeps: how much it is, and a file that is gone once it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from plugin_sdk.management import PluginDataReader

__all__ = ["Opened", "blob_totals"]

_PAGE: Final = 500
_CHUNK: Final = 256 * 1024


class Opened:
    """A file that is read piece by piece, and may lose its name meanwhile. Close it."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self.size = path.stat().st_size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._stream.read(_CHUNK):
            yield chunk

    def close(self) -> None:
        """Lets go of the file."""
        self._stream.close()


def blob_totals(data: PluginDataReader, plugin_id: str) -> dict[str, int]:
    """``count`` and ``bytes`` of the plugin's blobs."""
    blobs = data.blobs(plugin_id)
    count = size = 0
    after: str | None = None
    while page := blobs.list(after=after, limit=_PAGE):
        count += len(page)
        size += sum(each.size for each in page)
        after = page[-1].key
    return {"count": count, "bytes": size}
