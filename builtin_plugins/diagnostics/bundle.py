"""The ZIP file: entries, and what the manifest says about them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any, Final, Literal

from plugin_sdk import dump_json

__all__ = ["Bundle"]

_DATE: Final = (1980, 1, 1, 0, 0, 0)
Kind = Literal["json", "text", "binary"]


class Bundle:
    """A ZIP in the making. ``files`` is the list for its manifest: each entry that was added."""

    def __init__(self) -> None:
        self.files: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._buffer = BytesIO()
        self._zip = zipfile.ZipFile(self._buffer, "w", zipfile.ZIP_DEFLATED)

    def add_json(self, path: str, schema: str, content: Mapping[str, Any]) -> None:
        """An object, with its schema's name in ``schema``."""
        self.add_value(path, {**content, "schema": schema}, schema=schema)

    def add_value(self, path: str, value: Any, *, schema: str | None = None) -> None:
        """Any JSON value. Raises Invalid for what is none; nothing is added then."""
        data = (dump_json(value) + "\n").encode()
        self._add(path, "json", [data], {} if schema is None else {"schema": schema})

    def add_text(self, path: str, pieces: Iterable[str]) -> None:
        """Text, made while it is written."""
        self._add(path, "text", (each.encode(errors="replace") for each in pieces), {})

    def add_bytes(self, path: str, content: bytes) -> None:
        self._add(path, "binary", [content], {})

    def finished(self, manifest: Mapping[str, Any]) -> bytes:
        """The whole file; ``files`` and ``notes`` are added to the manifest."""
        document = {**manifest, "files": list(self.files), "notes": self.notes}
        self.add_value("manifest.json", document)
        self._zip.close()
        return self._buffer.getvalue()

    def _add(self, path: str, kind: Kind, pieces: Iterable[bytes], more: Mapping[str, Any]) -> None:
        size = lines = 0
        entry = zipfile.ZipInfo(path, _DATE)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o600 << 16
        with self._zip.open(entry, "w") as file:
            for piece in pieces:
                file.write(piece)
                size += len(piece)
                lines += piece.count(b"\n")
        counted = {"lines": lines} if kind == "text" else {}
        self.files.append({"path": path, "kind": kind, "size": size, **more, **counted})
