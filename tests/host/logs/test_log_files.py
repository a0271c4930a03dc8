"""The file: rotation, several writers, its end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from host.logs import (
    HostLogs,
    log_tail,
)
from host.logs.files import RotatingFile

from .conftest import written


def test_the_file_rotates_and_loses_nothing(file: Path) -> None:
    logs = HostLogs(file=file, max_bytes=2000, backups=20)
    for number in range(100):
        logs.logger("x").info("line %d", number)
        logs.flush()
    logs.close()
    files = sorted(file.parent.iterdir(), key=lambda each: each.stat().st_mtime_ns)
    assert len(files) > 2
    assert all(each.stat().st_size <= 2000 for each in files)
    lines = [
        line["message"]
        for each in reversed(range(1, len(files)))
        for line in written(file.with_name(f"server.log.{each}"))
    ] + [line["message"] for line in written(file)]
    assert lines == [f"line {number}" for number in range(100)]


def test_no_more_than_the_backups_are_kept(tmp_path: Path) -> None:
    rotating = RotatingFile(tmp_path / "a", 10, 2)
    for number in range(6):
        rotating.write(f"{number} 45678\n".encode())
    rotating.close()
    names = {each.name: each.read_text()[0] for each in tmp_path.iterdir()}
    assert names == {"a": "5", "a.1": "4", "a.2": "3"}


def test_two_processes_may_write_to_one_file(tmp_path: Path) -> None:
    one, two = (RotatingFile(tmp_path / "a", 100, 50) for _ in range(2))
    for number in range(60):
        (one if number % 2 else two).write(f"{number:03d} 456789 123456789\n".encode())
    one.close()
    two.close()
    text = "".join(each.read_text() for each in tmp_path.iterdir())
    assert sorted(line[:3] for line in text.splitlines()) == [f"{n:03d}" for n in range(60)]


def test_the_file_is_the_owner_s_and_may_be_taken_away(file: Path, logs: HostLogs) -> None:
    logs.logger("x").info("one")
    logs.flush()
    assert file.stat().st_mode & 0o777 == 0o600
    file.unlink()
    logs.logger("x").info("two")
    logs.flush()
    assert [line["message"] for line in written(file)] == ["two"]


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    stream = io.StringIO()
    logs = HostLogs(file=tmp_path, stream=stream)  # a folder
    logs.logger("x").info("one")
    logs.flush()
    logs.logger("x").info("two")
    logs.close()
    assert stream.getvalue().count("cannot be written") == 1
    assert "two" in stream.getvalue()


def test_a_closed_stream_harms_nobody(file: Path) -> None:
    stream = io.StringIO()
    stream.close()
    logs = HostLogs(file=file, stream=stream)
    logs.logger("x").info("one")
    logs.close()
    assert [line["message"] for line in written(file)] == ["one"]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(0, b""), (3, b""), (4, b"cc\n"), (3 + 1, b"cc\n"), (5, b"cc\n"), (7, b"bbb\ncc\n"),
     (100, b"aaaa\nbbb\ncc\n"), (12, b"aaaa\nbbb\ncc\n"), (11, b"bbb\ncc\n")],
)  # fmt: skip
def test_the_tail_begins_with_a_whole_line(tmp_path: Path, limit: int, expected: bytes) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"aaaa\nbbb\ncc\n")
    if limit == 3:
        expected = b"cc\n"  # a line begins exactly there
    assert b"".join(log_tail(file, limit)) == expected


def test_the_tail_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert list(log_tail(tmp_path / "none", 100)) == []


def test_the_tail_of_a_long_line_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    assert b"".join(log_tail(tmp_path / "a", 100)) == b""
    (tmp_path / "a").write_bytes(b"x" * 200_000 + b"\n" + b"y" * 150_000)
    assert b"".join(log_tail(tmp_path / "a", 160_000)) == b"y" * 150_000
