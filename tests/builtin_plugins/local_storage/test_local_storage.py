"""What local storage does beyond the suite: its folder, its index, recovery."""

from __future__ import annotations

import errno
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builtin_plugins.local_storage as local_storage
from builtin_plugins.local_storage import index
from builtin_plugins.local_storage import provider as module
from builtin_plugins.local_storage.index import KeyIndex
from builtin_plugins.local_storage.provider import LocalStorage
from plugin_sdk import Conflict, Unavailable
from plugin_sdk.testing import FakeContext
from tests.refusing_storage import RefusalTests

SEGMENT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\\x7f"), min_size=1
).filter(lambda text: text not in (".", ".."))
KEYS = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join).filter(lambda key: len(key) <= 512)


def put(storage: LocalStorage, key: str, content: bytes = b"1") -> Any:
    return storage.put(key, io.BytesIO(content), "a/b")


def read(storage: LocalStorage, key: str) -> bytes:
    with storage.open(key) as stream:
        return stream.read()


def files(context: FakeContext) -> list[Path]:
    return [path for path in (context.paths.data / "blobs").glob("*/*") if path.is_file()]


def new_storage(context: FakeContext) -> LocalStorage:
    """As after a restart, or in another process."""
    storage = LocalStorage(context.paths.data, context.db, context.clock, context.log)
    storage.recover()
    return storage


def test_the_manifest_declares_what_is_provided(
    context: FakeContext, storage: LocalStorage
) -> None:
    (entry,) = context.providers.entries()
    assert (entry.type, entry.name, entry.plugin_id) == ("storage", "local", "local_storage")


def test_an_idle_storage_makes_no_folder(context: FakeContext, storage: LocalStorage) -> None:
    assert storage.list() == []
    assert list(context.paths.data.iterdir()) == []


def test_modified_is_of_the_hosts_clock(context: FakeContext, storage: LocalStorage) -> None:
    context.clock.advance(3600)
    assert put(storage, "a").modified == context.clock.time()


def test_each_blob_is_one_file(context: FakeContext, storage: LocalStorage) -> None:
    for content in (b"one", b"two"):
        put(storage, "a", content)
    put(storage, "A", b"three")
    assert len(files(context)) == 2
    assert list((context.paths.data / "incoming").iterdir()) == []


class TestRefusals(RefusalTests):
    pass


@settings(max_examples=30)
@given(keys=st.sets(KEYS, max_size=8), prefix=st.text("ab/é", max_size=2), limit=st.integers(0, 5))
def test_listing_any_keys(
    context: FakeContext, storage: LocalStorage, keys: set[str], prefix: str, limit: int
) -> None:
    for key in keys:
        put(storage, key, key.encode())
    expected = sorted(key for key in keys if key.startswith(prefix))
    assert [info.key for info in storage.list(prefix)] == expected
    assert [info.key for info in storage.list(prefix, limit=limit)] == expected[:limit]
    for key in keys:
        assert read(storage, key) == key.encode()
        assert storage.delete(key)
    assert storage.list() == []


def test_keys_of_deleted_blobs_leave_the_index(
    context: FakeContext, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_GONE_LIMIT", 16)
    for number in range(30):
        put(storage, f"{number:03}")
        storage.delete(f"{number:03}")
    assert context.db.value("SELECT COUNT(*) FROM blobs") < 30, "many are dropped at once"
    storage.close()
    assert context.db.value("SELECT COUNT(*) FROM blobs") == 0, "the rest at the end"


def test_a_listing_drops_keys_without_a_file(context: FakeContext, storage: LocalStorage) -> None:
    for key in "abc":
        put(storage, key)
    storage._path("b").unlink()  # as after a crash between the file's end and the key's
    assert [info.key for info in storage.list()] == ["a", "c"]
    assert context.db.query("SELECT key FROM blobs ORDER BY key") == [{"key": "a"}, {"key": "c"}]


def test_a_listing_passes_over_any_number_of_keys_without_a_file(
    context: FakeContext, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_PAGE", 50)
    context.db.table("blobs").insert_all({"key": f"{number:05}"} for number in range(130))
    put(storage, "z")
    assert [info.key for info in storage.list(limit=1)] == ["z"]
    assert context.db.value("SELECT COUNT(*) FROM blobs") == 1


def test_dropping_keys_that_fails_fails_no_delete(
    context: FakeContext, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(storage, "a")

    def refuse(self: KeyIndex, keys: list[str]) -> None:
        raise Conflict("busy")

    with monkeypatch.context() as patch:
        patch.setattr(KeyIndex, "drop", refuse)
        assert storage.delete("a") is True
        storage.close()
    assert any("1 deleted keys stay in the index" in text for text in context.log.messages)
    assert storage.list() == []


def test_a_key_stored_again_while_it_is_dropped_stays(
    context: FakeContext, storage: LocalStorage
) -> None:
    put(storage, "a")
    storage.delete("a")
    put(storage, "a")
    storage.close()
    assert [info.key for info in storage.list()] == ["a"]


def test_a_damaged_file_is_left_out_of_listings_and_logged(
    context: FakeContext, storage: LocalStorage
) -> None:
    put(storage, "a")
    put(storage, "b")
    storage._path("a").write_bytes(b"")
    assert [info.key for info in storage.list()] == ["b"]
    assert any('Blob "a" is left out' in text for text in context.log.messages)
    assert storage.delete("a") is True


def test_half_written_files_of_a_crash_are_removed(
    context: FakeContext, storage: LocalStorage
) -> None:
    put(storage, "a")
    leftover = context.paths.data / "incoming" / "0123"
    leftover.write_bytes(b"half")
    new_storage(context)
    assert not leftover.exists()
    assert any("1 half-written files" in text for text in context.log.messages)


def test_recovery_beside_a_writer_takes_nothing_from_it(
    context: FakeContext, storage: LocalStorage
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            reading.set()
            assert go_on.wait(30)
            return super().read(size)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(storage.put, "a", Slow(b"content"), "a/b")
        try:
            assert reading.wait(30)
            new_storage(context)
        finally:
            go_on.set()
        assert writing.result().size == 7
    assert read(storage, "a") == b"content"


def test_a_lost_index_is_made_anew(context: FakeContext, storage: LocalStorage) -> None:
    for key in ("b", "a/b", "a"):
        put(storage, key)
    context.db.table("blobs").delete_where()
    storage._path("b").write_bytes(b"")
    again = new_storage(context)
    assert [info.key for info in again.list()] == ["a", "a/b"]
    assert any("made anew: 2 blobs" in text for text in context.log.messages)


def test_a_full_disk_is_unavailable(
    context: FakeContext, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(storage, "a", b"old")

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_blob", fill)
        with pytest.raises(Unavailable, match="No space left on device"):
            put(storage, "a", b"new")
    assert read(storage, "a") == b"old"
    assert list((context.paths.data / "incoming").iterdir()) == []


def test_other_errors_of_the_disk_come_through(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "write_blob", fail)
    with pytest.raises(OSError, match="Input/output"):
        put(storage, "a")


def test_writers_and_deleters_of_one_key_leave_file_and_index_in_step(
    context: FakeContext, storage: LocalStorage
) -> None:
    def live(number: int) -> None:
        for turn in range(10):
            put(storage, "shared", f"{number}:{turn}".encode())
            if turn % 3 == number % 3:
                storage.delete("shared")
            storage.list(limit=1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(live, range(4)))
    put(storage, "shared", b"last")
    assert [info.key for info in storage.list()] == ["shared"]
    assert read(storage, "shared") == b"last"


def test_a_second_start_finds_everything(context: FakeContext) -> None:
    plugin = context.start(local_storage.plugin)
    put(context.providers.active("storage"), "a")
    context.stop(plugin)
    # The migration has run; the host does not run it again.
    again = new_storage(context)
    assert [info.key for info in again.list()] == ["a"]
