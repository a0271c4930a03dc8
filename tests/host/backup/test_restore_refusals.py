"""Archives that must not be believed, and crashes that must not matter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from host.backup import occupied, restore_pending, swap, take_backup
from host.backup.occupancy import alone
from host.config import load_config
from host.testing import TestHost
from plugin_sdk import Conflict, Invalid, StageboxError, Unavailable
from tests.archives import CHANGES, no_progress, rewritten, state_of, write_keeper

pytestmark = pytest.mark.one_engine  # files of SQLite; test_served_refusals has the other


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with the data of a host at rest, and an archive of what they were before."""
    folder = tmp_path_factory.mktemp("prepared")
    plugin = write_keeper(folder / "source")
    with TestHost(folder / "data", plugins=[plugin]) as host:
        assert host.post("/api/plugins/keeper/keep/one").status == 200
        config = load_config({"data_dir": str(host.data_dir)}, {})
        take_backup(config, {}, folder / "archive.zip", no_progress)
        assert host.post("/api/plugins/keeper/keep/two").status == 200
    return folder


@pytest.fixture
def stopped(prepared, tmp_path):
    """A host at rest whose data are not those of the archive beside it."""
    shutil.copytree(prepared / "data", tmp_path / "data")
    shutil.copy(prepared / "archive.zip", tmp_path)
    return TestHost(tmp_path / "data")


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_archive_is_refused_and_nothing_changes(name, stopped, put_back, tmp_path):
    change, text = CHANGES[name]
    rewritten(tmp_path / "archive.zip", change)
    before = state_of(stopped.data_dir)
    with pytest.raises(StageboxError, match=text):
        put_back(stopped.data_dir, replace_data=True)
    assert state_of(stopped.data_dir) == before
    assert not (stopped.data_dir / ".restore").exists()
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_truncated_archive_is_refused(part, stopped, put_back, tmp_path):
    file = tmp_path / "archive.zip"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * part)])
    before = state_of(stopped.data_dir)
    with pytest.raises(Invalid, match="damaged, or no backup"):
        put_back(stopped.data_dir, replace_data=True)
    assert state_of(stopped.data_dir) == before


def test_no_byte_of_an_archive_can_be_flipped_unnoticed_or_with_harm(stopped, put_back, tmp_path):
    file = tmp_path / "archive.zip"
    whole = file.read_bytes()
    before = state_of(stopped.data_dir)
    for position in range(40, len(whole), len(whole) // 23):
        broken = bytearray(whole)
        broken[position] ^= 0x5A
        file.write_bytes(broken)
        try:
            put_back(stopped.data_dir)  # data are there, so it goes no further than the manifest
        except StageboxError:
            pass
        assert state_of(stopped.data_dir) == before


def test_a_bomb_is_refused_before_it_is_unpacked(stopped, put_back, monkeypatch):
    usage = shutil.disk_usage(stopped.data_dir)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(Unavailable, match="free"):
        put_back(stopped.data_dir, replace_data=True)
    assert not (stopped.data_dir / ".restore").exists()


class Crash(BaseException):
    """The process is gone."""


def _failing(monkeypatch, at: int, error: BaseException) -> list[int]:
    count = [0]
    rename = Path.rename

    def counted(self, target):
        count[0] += 1
        if count[0] == at:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", counted)
    return count


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_a_crash_at_any_rename_is_undone_or_finished_at_the_next_start(
    at, stopped, put_back, monkeypatch, tmp_path
):
    before = state_of(stopped.data_dir)
    put_back(tmp_path / "twin")
    wanted = state_of(tmp_path / "twin")
    with monkeypatch.context() as patch:
        _failing(patch, at, Crash())
        patch.setattr(swap, "recover", lambda _: None)  # nobody tidies up after a crash
        with pytest.raises(Crash):
            put_back(stopped.data_dir, replace_data=True)
    with occupied(stopped.data_dir):
        now = state_of(stopped.data_dir)
    assert not (stopped.data_dir / ".restore").exists()
    if at == 1:  # before the mark
        assert now == before
    else:
        assert set(now) - {"host.db", *_volatile(now)} == set(wanted) - {
            "host.db",
            *_volatile(wanted),
        }
        assert "keeper/two" not in str(now)


def _volatile(state):
    """What belongs to no state: logs of SQLite, and what processes told each other."""
    return {
        name for name in state if name.startswith("signals.db") or name.endswith(("-wal", "-shm"))
    }


@pytest.mark.parametrize("at", [2, 3, 4, 5])
def test_a_rename_that_fails_puts_everything_back(at, stopped, put_back, monkeypatch):
    before = state_of(stopped.data_dir)
    with monkeypatch.context() as patch:
        _failing(patch, at, OSError(16, "Device or resource busy"))
        with pytest.raises(Unavailable, match="nothing was changed"):
            put_back(stopped.data_dir, replace_data=True)
    assert state_of(stopped.data_dir) == before
    assert not (stopped.data_dir / ".restore").exists()


def test_a_full_disk_while_unpacking_changes_nothing(stopped, put_back, monkeypatch):
    from host.backup.archive import Archive

    def full(self, entry, path):
        raise OSError(28, "No space left on device")

    before = state_of(stopped.data_dir)
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "extract", full)
        with pytest.raises(Unavailable, match="No space left"):
            put_back(stopped.data_dir, replace_data=True)
    assert state_of(stopped.data_dir) == before


def test_a_folder_that_cannot_be_made_changes_nothing(
    stopped, put_back, monkeypatch, tmp_path
) -> None:
    """Said by the command; noted, and in nobody's way, at the start of a server."""
    before = state_of(stopped.data_dir)
    with monkeypatch.context() as patch:
        patch.setattr("host.backup.swap.begin", _full)
        with pytest.raises(Unavailable, match=r"No space left on device.*nothing was changed"):
            put_back(stopped.data_dir, replace_data=True)
    assert state_of(stopped.data_dir) == before
    desk = tmp_path / "desk"
    (desk / "backups").mkdir(parents=True)
    (desk / "backups" / ".pending.json").write_text('{"name": "a.zip"}')
    with monkeypatch.context() as patch:
        patch.setattr("host.backup.desk.restore", _full)
        outcome = restore_pending(load_config({"data_dir": str(desk)}, {}), {}, _full)
    assert outcome is not None
    assert (outcome.succeeded, "No space left" in outcome.message) == (False, True)
    assert restore_pending(load_config({"data_dir": str(desk)}, {}), {}, _full) is None


def _full(*_arguments, **_options):
    raise OSError(28, "No space left on device")


def test_nobody_works_on_data_that_are_being_restored_and_the_other_way_round(tmp_path):
    with (
        alone(tmp_path),
        pytest.raises(Conflict, match="restore is under way"),
        occupied(tmp_path),
    ):
        pass
    with (
        occupied(tmp_path),
        occupied(tmp_path),
        pytest.raises(Conflict, match="stop the server"),
        alone(tmp_path),
    ):
        pass
    with alone(tmp_path):
        pass
