"""What a plugin keeps, as a file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from plugin_sdk.exports import write_export
from plugin_sdk.management import PluginDataReader


class Nothing:
    """Of a plugin that keeps nothing but files."""

    def export(self, plugin_id: str) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
        return iter(())

    def blobs(self, plugin_id: str) -> Nothing:
        return self

    def list(self, **_: object) -> Sequence[Any]:
        return ()


def exported(folder: Path, name: str, file: Path) -> dict[str, bytes]:
    target = folder / "export.zip"
    write_export(cast("PluginDataReader", Nothing()), "a", target, files=[(name, file)])
    with zipfile.ZipFile(target) as archive:
        return {each: archive.read(each) for each in archive.namelist()}


def test_files_older_than_zip_itself(tmp_path: Path) -> None:
    file = tmp_path / "old.txt"
    file.write_bytes(b"x")
    os.utime(file, (0, 0))
    assert exported(tmp_path, "old.txt", file) == {"files/old.txt": b"x"}


def test_names_that_are_no_text(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.txt"))
    try:
        file.write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    assert exported(tmp_path, file.name, file) == {"files/b\\xff.txt": b"x"}
