"""A part of a file, as waitress uses it."""

from __future__ import annotations

import io
import os

import pytest

from host.web.leases import Lease
from host.web.streams import FileSlice, PlainFile


@pytest.fixture
def lease(site):
    return Lease(site.published("x").gate, 0.0, ())


def test_a_slice_is_a_file_of_its_own(lease):
    lease._gate.enter()
    inner = io.BytesIO(b"0123456789")
    inner.seek(3)
    part = FileSlice(inner, 4, lease)
    assert (part.tell(), part.seekable()) == (0, True)
    assert part.seek(0, os.SEEK_END) == 4
    assert part.read(5) == b""
    assert part.seek(0) == 0
    assert part.read(3) == b"345"
    assert part.seek(-1, os.SEEK_CUR) == 2
    assert part.read() == b"56"
    assert part.read() == b""
    part.close()
    part.close()
    assert inner.closed


def test_a_plain_file_is_read_at_places(lease, tmp_path):
    lease._gate.enter()
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = PlainFile(os.open(path, os.O_RDONLY))
    assert (file.readable(), file.seekable(), file.seek(3), file.tell()) == (True, True, 3, 3)
    part = FileSlice(file, 4, lease)
    assert (part.descriptor, part.offset) == (file.fileno(), 3)
    assert part.read(3) == b"345"
    assert part.seek(1) == 1
    assert (part.offset, part.read()) == (4, b"456")
    assert file.seek(-2, os.SEEK_END) == 8
    assert file.seek(1, os.SEEK_CUR) == 9
    assert (file.read(), file.read()) == (b"9", b"")
    part.close()
    part.close()
    assert file.closed


def test_a_slice_of_a_file_that_shrank_is_an_error(lease):
    lease._gate.enter()
    part = FileSlice(io.BytesIO(b"012"), 5, lease)
    assert part.read(5) == b"012"
    with pytest.raises(OSError, match="shorter"):
        part.read(5)
    part.close()


def test_a_slice_is_released_when_closing_fails(lease):
    lease._gate.enter()
    gate = lease._gate

    class Bad(io.BytesIO):
        def close(self) -> None:
            raise OSError("no")

    with pytest.raises(OSError, match="no"):
        FileSlice(Bad(b"x"), 1, lease).close()
    assert gate.inside == 0
