"""Everything that one plugin keeps, in a file that needs no Stagebox to be read."""

from __future__ import annotations

import base64
import json
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from plugin_sdk.errors import NotFound
from plugin_sdk.management import PluginDataReader

__all__ = ["write_export"]

_PAGE: Final = 500
_CHUNK: Final = 256 * 1024


def write_export(
    data: PluginDataReader,
    plugin_id: str,
    file: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    files: Iterable[tuple[str, Path]] = (),
) -> None:
    """Writes a ZIP: ``data.jsonl`` with keys and values, ``tables/<name>.jsonl`` with a row on each
    line (bytes as ``{"base64": …}``), ``blobs/<key>``; and what is given: ``settings.json``,
    ``files/<name>`` (bytes that are no UTF-8 in a name as ``\\xff``). Memory does not grow with the
    data."""
    # A ZIP begins in 1980, and a file may be older: nothing of its content is lost by that.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for table, rows in data.export(plugin_id):
            name = f"tables/{table}.jsonl" if table else "data.jsonl"
            with archive.open(name, "w", force_zip64=True) as member:
                for row in rows:
                    text = json.dumps(row, ensure_ascii=False, default=_encoded)
                    member.write(text.encode("utf-8", "backslashreplace") + b"\n")
        if settings:
            archive.writestr("settings.json", json.dumps(settings, ensure_ascii=False, indent=2))
        for name, path in files:
            shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            archive.write(path, f"files/{shown}")
        _add_blobs(data, plugin_id, archive)


def _add_blobs(data: PluginDataReader, plugin_id: str, archive: zipfile.ZipFile) -> None:
    blobs = data.blobs(plugin_id)
    after: str | None = None
    while page := blobs.list(after=after, limit=_PAGE):
        for info in page:
            try:
                stream = blobs.get(info.key).open()
            except NotFound:  # deleted since it was listed
                continue
            with stream, archive.open(f"blobs/{info.key}", "w", force_zip64=True) as member:
                shutil.copyfileobj(stream, member, _CHUNK)
        after = page[-1].key


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    return str(value)
