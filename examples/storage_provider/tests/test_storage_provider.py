from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import example_storage
import pytest
from example_storage import DatabaseStoragePlugin
from example_storage.storage import BATCH, CHUNK, GRACE, DatabaseStorage

from plugin_sdk import NotFound, StorageProvider
from plugin_sdk.testing import FakeContext, PluginSuite, StorageSuite


@pytest.fixture
def context() -> Iterator[FakeContext]:
    with FakeContext.for_folder(Path(example_storage.__file__).parent) as context:
        context.start(DatabaseStoragePlugin)
        yield context


@pytest.fixture
def storage(context: FakeContext) -> DatabaseStorage:
    return DatabaseStorage(context.db, context.clock)


class TestItIsSound(PluginSuite):
    plugin = "example_storage:plugin"


class TestItIsAStorageProvider(StorageSuite):
    @pytest.fixture
    def provider(self, storage: DatabaseStorage) -> StorageProvider:
        return storage

    @pytest.fixture
    def reopen(self, context: FakeContext) -> Callable[[StorageProvider], StorageProvider]:
        return lambda _: DatabaseStorage(context.db, context.clock)


def put(storage: DatabaseStorage, content: bytes, key: str = "a") -> None:
    storage.put(key, io.BytesIO(content), "a/b")


def read(storage: DatabaseStorage, start: int = 0, length: int | None = None) -> bytes:
    with storage.open("a", start, length) as stream:
        return stream.read()


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, BATCH * CHUNK, BATCH * CHUNK + 1])
def test_content_around_the_borders_of_chunks(storage: DatabaseStorage, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    put(storage, content[:size])
    assert read(storage) == content[:size]
    assert read(storage, CHUNK - 3, 7) == content[:size][CHUNK - 3 : CHUNK + 4]


def test_who_reads_gets_the_old_content_to_its_end(
    context: FakeContext, storage: DatabaseStorage
) -> None:
    put(storage, b"o" * 3 * CHUNK)
    with storage.open("a") as stream:
        begun = stream.read(1)
        put(storage, b"new")
        storage.delete("a")
        context.clock.advance(GRACE / 1000 / 2)
        put(storage, b"sweeps", key="b")
        assert begun + stream.read() == b"o" * 3 * CHUNK


def test_what_nobody_needs_is_swept_out(context: FakeContext, storage: DatabaseStorage) -> None:
    put(storage, b"old")
    put(storage, b"new")
    context.clock.advance(GRACE / 1000 + 1)
    put(storage, b"sweeps", key="b")
    assert context.db.table("contents").count_where() == 2
    assert context.db.table("chunks").count_where() == 2
    assert read(storage) == b"new"


def test_what_was_never_written_to_its_end_is_swept_out(
    context: FakeContext, storage: DatabaseStorage
) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > BATCH * CHUNK:
                raise ConnectionError
            return super().read(size)

    with pytest.raises(ConnectionError):
        storage.put("a", Breaking(bytes(2 * BATCH * CHUNK)), "a/b")
    with pytest.raises(NotFound):
        storage.stat("a")
    assert context.db.table("chunks").count_where() > 0
    context.clock.advance(GRACE / 1000 + 1)
    assert storage.delete("a") is False
    assert context.db.table("chunks").count_where() == 0
