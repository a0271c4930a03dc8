"""Files that are being written: a sweep takes those of the dead, and never those of the living."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from builtin_plugins.local_storage.incoming import Incoming


def test_an_unmoved_file_is_gone_afterwards(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path)
    with incoming.file() as (file, path):
        file.write(b"half")
        assert path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_moved_file_stays(tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    with Incoming(folder).file() as (file, path):
        file.write(b"whole")
        path.replace(tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == b"whole"


def test_a_file_is_gone_when_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Incoming(tmp_path).file():
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_removes_what_nobody_writes(tmp_path: Path) -> None:
    (tmp_path / "left").write_bytes(b"half")
    assert Incoming(tmp_path).sweep() == 1
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_leaves_what_somebody_writes(tmp_path: Path) -> None:
    (tmp_path / "left").write_bytes(b"half")
    with Incoming(tmp_path).file() as (_, path):
        assert Incoming(tmp_path).sweep() == 1
        assert list(tmp_path.iterdir()) == [path]


def test_nothing_to_sweep(tmp_path: Path) -> None:
    assert Incoming(tmp_path / "never made").sweep() == 0


def test_a_sweep_between_creating_and_locking_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer notices that its file was taken for a leftover, and begins another."""
    from builtin_plugins.local_storage import incoming as module

    lock, sweeps = module._lock, []

    def lock_late(file: object, *, wait: bool) -> bool:
        if wait and not sweeps:
            sweeps.append(None)
            sweeps.append(Incoming(tmp_path).sweep())
        return lock(file, wait=wait)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_lock", lock_late)
    with Incoming(tmp_path).file() as (file, path):
        assert sweeps == [None, 1]
        file.write(b"1")
        assert path.exists()


WRITER = """
import sys
from pathlib import Path
from builtin_plugins.local_storage.incoming import Incoming

with Incoming(Path(sys.argv[1])).file() as (file, path):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_a_killed_process_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        assert Incoming(tmp_path).sweep() == 0, "a writer in another process is left alone"
        writer.kill()
        writer.wait()
        assert Incoming(tmp_path).sweep() == 1
    assert list(tmp_path.iterdir()) == []
