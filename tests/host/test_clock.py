from __future__ import annotations

import os
import time
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from host.clock import SystemClock


def test_without_a_file_it_is_the_system_time() -> None:
    clock = SystemClock()
    before = time.time()
    assert before <= clock.time() <= time.time()
    assert int(before * 1000) <= clock.ms() <= time.time_ns() // 1_000_000
    assert clock.now().tzinfo is UTC


def test_the_file_is_read_at_each_use(tmp_path: Path) -> None:
    file = tmp_path / "offset"
    clock = SystemClock(file)
    assert abs(clock.time() - time.time()) < 60
    file.write_text("3600\n")
    assert abs(clock.time() - time.time() - 3600) < 60
    assert abs(clock.ms() - time.time() * 1000 - 3_600_000) < 60_000
    assert abs(clock.now().timestamp() - time.time() - 3600) < 60
    file.write_text("-86400.5")
    assert abs(clock.time() - time.time() + 86400.5) < 60
    file.unlink()
    assert abs(clock.time() - time.time()) < 60


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "-inf", "1e300", "\0", "\xff"])
def test_what_is_no_number_counts_as_zero(tmp_path: Path, text: str) -> None:
    file = tmp_path / "offset"
    file.write_bytes(text.encode("latin-1"))
    clock = SystemClock(file)
    assert abs(clock.time() - time.time()) < 60
    clock.iso()
    clock.now()


def test_a_folder_or_a_pipe_counts_as_zero(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        assert abs(SystemClock(path).time() - time.time()) < 60


@pytest.mark.parametrize("offset", ["59000000000", "-59000000000"])
def test_far_away_times_can_be_written(tmp_path: Path, offset: str) -> None:
    file = tmp_path / "offset"
    file.write_text(offset)
    clock = SystemClock(file)
    assert clock.iso().endswith("Z")
    assert clock.now().utcoffset() == timedelta(0)


def test_iso_has_milliseconds_and_z() -> None:
    clock = SystemClock()
    assert clock.iso(1_777_636_800_000) == "2026-05-01T12:00:00.000Z"
    assert clock.iso(1_777_636_800_007) == "2026-05-01T12:00:00.007Z"
    assert clock.iso(-1) == "1969-12-31T23:59:59.999Z"
    assert len(clock.iso()) == 24
