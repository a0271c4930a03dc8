"""What S3 storage does with blobs beyond the suite."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

import pytest

import builtin_plugins.s3_storage as s3_storage
from builtin_plugins.s3_storage import uploads
from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk import NotFound, ProviderUnavailable, TooLarge
from plugin_sdk.testing import FakeContext
from plugin_sdk.testing.streams import Broken, breaking, zeros
from tests.refusing_storage import RefusalTests

BUCKET = "stagebox-test"
MIB = 1024 * 1024


def put(storage: S3Storage, key: str, content: bytes = b"1") -> Any:
    return storage.put(key, io.BytesIO(content), "a/b")


def read(storage: S3Storage, key: str, start: int = 0, length: int | None = None) -> bytes:
    with storage.open(key, start, length) as stream:
        return stream.read()


def pending(objects: Any, folder: str) -> list[str]:
    found = objects.list_multipart_uploads(Bucket=BUCKET, Prefix=folder + "/")
    return [each["Key"] for each in found.get("Uploads", ())]


def test_the_manifest_declares_what_is_provided(context: FakeContext, storage: S3Storage) -> None:
    (entry,) = context.providers.entries()
    assert (entry.type, entry.name, entry.plugin_id) == ("storage", "s3", "s3_storage")


def test_blobs_are_objects_in_the_folder(storage: S3Storage, objects: Any, folder: str) -> None:
    info = put(storage, "songs/a-1", b"sound")
    [found] = objects.list_objects_v2(Bucket=BUCKET, Prefix=folder + "/")["Contents"]
    assert found["Key"] == f"{folder}/songs._a-1"
    head = objects.head_object(Bucket=BUCKET, Key=found["Key"])
    assert (head["ContentType"], head["ContentLength"]) == ("a/b", 5)
    assert head["ETag"] == f'"{info.etag}"'


def test_modified_is_of_the_hosts_clock(context: FakeContext, storage: S3Storage) -> None:
    context.clock.advance(3600.25)
    assert put(storage, "a").modified == context.clock.time()
    assert storage.stat("a").modified == context.clock.time()


class TestRefusals(RefusalTests):
    pass


# Parts


@pytest.mark.parametrize(
    "size", [0, MIB // 4, MIB // 4 + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, 17 * MIB]
)
def test_every_size_is_stored_whole(
    storage: S3Storage, objects: Any, folder: str, size: int
) -> None:
    content = hashlib.shake_128(str(size).encode()).digest(size)
    info = put(storage, "a", content)
    assert info == storage.stat("a")
    assert info.size == size
    with storage.open("a") as stream:
        assert hashlib.file_digest(stream, "sha256").digest() == hashlib.sha256(content).digest()  # type: ignore[arg-type]  # a BinaryIO will do
    assert read(storage, "a", max(0, size - 5), 100) == content[-5:]
    assert pending(objects, folder) == []


def test_a_large_stream_that_breaks_leaves_nothing(
    storage: S3Storage, objects: Any, folder: str
) -> None:
    put(storage, "a", b"old")
    with pytest.raises(Broken):
        storage.put("a", breaking(9 * MIB), "a/b")
    assert read(storage, "a") == b"old"
    assert pending(objects, folder) == []


def test_a_blob_with_too_many_parts_is_too_large(
    storage: S3Storage, objects: Any, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_MAX_PARTS", 2)
    assert storage.put("fits", zeros(16 * MIB), "a/b").size == 16 * MIB
    with pytest.raises(TooLarge, match="16777216 bytes at most"):
        storage.put("a", zeros(16 * MIB + 1), "a/b")
    assert pending(objects, folder) == []
    with pytest.raises(NotFound):
        storage.stat("a")


def test_an_upload_that_the_store_dropped_is_told(
    storage: S3Storage, objects: Any, folder: str
) -> None:
    class Dropping(io.RawIOBase):
        """Ends the upload from outside when it is half way."""

        left = 10 * MIB

        def read(self, size: int = -1, /) -> bytes:
            if self.left == 0:
                for each in objects.list_multipart_uploads(Bucket=BUCKET, Prefix=folder)["Uploads"]:
                    objects.abort_multipart_upload(
                        Bucket=BUCKET, Key=each["Key"], UploadId=each["UploadId"]
                    )
                return b""
            self.left -= min(size, self.left)
            return bytes(size)

    with pytest.raises(ProviderUnavailable, match=r"dropped an upload.*NoSuchUpload"):
        storage.put("a", Dropping(), "a/b")  # type: ignore[arg-type]  # it can read
    with pytest.raises(NotFound):
        storage.stat("a")


# Leftovers


def begin(objects: Any, key: str) -> None:
    objects.create_multipart_upload(Bucket=BUCKET, Key=key)


def sweep(context: FakeContext) -> Any:
    started = context.jobs.start("abort-leftovers")
    context.jobs.run_all()
    return context.jobs.get(started.id)


def test_old_uploads_of_our_own_are_ended(
    context: FakeContext, storage: S3Storage, objects: Any, folder: str
) -> None:
    for key in ("songs._a-1", "not/ours", "b.txt"):
        begin(objects, f"{folder}/{key}")
    begin(objects, f"{folder}er/a")
    _be_now(context, objects)
    assert sweep(context).result == 0
    assert len(pending(objects, folder)) == 3, "they may be under way"
    context.clock.advance(25 * 3600)
    assert sweep(context).result == 1
    assert sorted(pending(objects, folder)) == [f"{folder}/b.txt", f"{folder}/not/ours"]
    assert pending(objects, folder + "er") == [f"{folder}er/a"]
    assert any("1 unfinished uploads were ended" in text for text in context.log.messages)


def test_leftovers_are_looked_for_at_every_start(context: FakeContext, storage: S3Storage) -> None:
    [job] = s3_storage.plugin(context).jobs()
    assert job.at_start
    assert job.every == 6 * 3600


def test_a_crash_leaves_what_is_ended_later(
    context: FakeContext,
    storage: S3Storage,
    objects: Any,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_abort", lambda *_: False)  # as if the process had ended there
        with pytest.raises(Broken):
            storage.put("é" * 250, breaking(9 * MIB), "a/b")
    assert len(pending(objects, folder)) == 1
    _be_now(context, objects)
    context.clock.advance(25 * 3600)
    assert sweep(context).result == 1
    assert pending(objects, folder) == []


def _be_now(context: FakeContext, objects: Any) -> None:
    """Puts the host's clock to the store's."""
    answer = objects.head_object(Bucket=BUCKET, Key="ready")
    context.clock.set(parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]))


# Reading over broken connections


def test_reading_goes_on_over_a_connection_that_breaks(
    relay: Any, weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    storage = _through(relay, weed, folder, make_context)
    content = hashlib.shake_128(b"").digest(3 * MIB)
    put(storage, "a", content)
    try:
        pieces = []
        before = relay.connections
        relay.allow(200_000)
        with storage.open("a", 1000) as stream:
            for _ in range(4):
                pieces.append(stream.read(150_000))
                relay.cut()
                relay.allow(200_000)
            relay.allow(None)
            pieces.append(stream.read())
        assert b"".join(pieces) == content[1000:]
        assert relay.connections >= before + 3
    finally:
        storage.close()


def test_a_reader_never_gets_two_contents_mixed(
    storage: S3Storage, relay: Any, weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    direct, storage = storage, _through(relay, weed, folder, make_context)
    put(storage, "a", b"o" * 3 * MIB)
    try:
        relay.allow(200_000)
        with storage.open("a") as stream:
            stream.read(1000)
            relay.allow(0)
            put(direct, "a", b"n" * 3 * MIB)
            relay.cut()
            relay.allow(None)
            with pytest.raises(ProviderUnavailable, match='"a" was replaced or deleted'):
                stream.read()
    finally:
        storage.close()


def test_a_store_that_always_breaks_off_is_given_up(
    relay: Any, weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    storage = _through(relay, weed, folder, make_context)
    put(storage, "a", b"o" * 3 * MIB)
    try:
        relay.allow(200_000)
        with storage.open("a") as stream:
            stream.read(1000)
            relay.refuse()
            relay.cut()
            with pytest.raises(ProviderUnavailable, match="cannot be reached"):
                stream.read()
    finally:
        storage.close()


def _through(
    relay: Any, weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> S3Storage:
    relay.lead_to(weed.port)
    context = make_context({**weed.settings(folder), "endpoint": relay.endpoint})
    return S3Storage(context.settings, context.clock, context.log)


# Many at once


def test_two_hosts_share_a_bucket(
    storage: S3Storage, weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    context = make_context(weed.settings(folder))
    other = S3Storage(context.settings, context.clock, context.log)
    try:
        info = put(storage, "a/b", b"shared")
        assert other.stat("a/b") == info
        assert list(other.list()) == [info]
        assert read(other, "a/b") == b"shared"
        assert other.delete("a/b") is True
        assert storage.delete("a/b") is False
    finally:
        other.close()


def test_readers_and_a_large_writer_meet(storage: S3Storage) -> None:
    contents = [bytes([number]) * (2 * MIB) for number in (1, 2)]
    put(storage, "a", contents[0])
    failures: list[object] = []

    def write(content: BinaryIO) -> None:
        try:
            storage.put("a", content, "a/b")
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(io.BytesIO(each),)) for each in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        try:
            assert read(storage, "a") in contents
        except ProviderUnavailable as error:  # a slow reader: the store has dropped what it reads
            if "was replaced" not in error.message:
                raise
    for writer in writers:
        writer.join()
    assert failures == []
    assert read(storage, "a") in contents
