"""The file of a blob: content first, what is known of it behind."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.local_storage.files import (
    DamagedFile,
    open_content,
    read_info,
    write_blob,
)
from plugin_sdk import BlobInfo


def written(path: Path, content: bytes, key: str = "a/b", content_type: str = "a/b") -> BlobInfo:
    with path.open("wb") as file:
        return write_blob(file, key, io.BytesIO(content), content_type, 1_777_000_000.125)


def test_the_content_stands_at_the_beginning(tmp_path: Path) -> None:
    written(tmp_path / "blob", b"0123456789")
    assert (tmp_path / "blob").read_bytes().startswith(b"0123456789")


def test_everything_known_is_read_back(tmp_path: Path) -> None:
    info = written(tmp_path / "blob", b"12345", 'é/😀 "x"', 'a/b; c="d e"')
    assert info.size == 5
    assert info.modified == 1_777_000_000.125
    assert read_info(tmp_path / "blob") == info


def test_a_description_longer_than_the_first_read(tmp_path: Path) -> None:
    info = written(tmp_path / "blob", b"x" * 10_000, "k", "t" * 5000)
    assert read_info(tmp_path / "blob") == info


def test_equal_content_has_an_equal_etag(tmp_path: Path) -> None:
    first = written(tmp_path / "one", b"same")
    assert written(tmp_path / "two", b"same").etag == first.etag
    assert written(tmp_path / "three", b"other").etag != first.etag


@given(
    content=st.binary(max_size=300),
    start=st.integers(0, 400),
    length=st.none() | st.integers(0, 400),
    pieces=st.integers(1, 50),
)
def test_a_range_is_a_slice(
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    start: int,
    length: int | None,
    pieces: int,
) -> None:
    path = tmp_path_factory.mktemp("range") / "blob"
    written(path, content)
    expected = content[start:] if length is None else content[start : start + length]
    with open_content(path, start, length) as stream:
        assert b"".join(iter(lambda: stream.read(pieces), b"")) == expected
    with open_content(path, start, length) as stream:
        assert stream.read() == expected
        assert stream.read(1) == b""


def test_a_range_is_a_real_file(tmp_path: Path) -> None:
    written(tmp_path / "blob", b"0123456789")
    with open_content(tmp_path / "blob", 3, 4) as stream:
        assert stream.tell() == 3
        assert stream.seek(0, os.SEEK_END) == 7
        stream.seek(3)
        assert os.pread(stream.fileno(), 4, stream.tell()) == b"3456"


def test_the_raw_file_below_ends_with_the_range(tmp_path: Path) -> None:
    written(tmp_path / "blob", b"0123456789")
    stream = open_content(tmp_path / "blob", 3, 4)
    assert isinstance(stream, io.BufferedReader)
    with stream.detach() as raw:
        raw.seek(3)
        assert raw.read(2) == b"34"
        assert raw.readall() == b"56"
        assert raw.read(5) == b""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"long enough, but not one of ours",
        (9999).to_bytes(4) + b"SBB1",
        b"not json" + (8).to_bytes(4) + b"SBB1",
        b"{}" + (2).to_bytes(4) + b"SBB1",
        b"[]" + (2).to_bytes(4) + b"SBB1",
    ],
)
def test_a_file_that_is_not_as_written_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "3f00"
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match="3f00 is damaged"):
        read_info(path)
    with pytest.raises(DamagedFile):
        open_content(path, 0, None)
