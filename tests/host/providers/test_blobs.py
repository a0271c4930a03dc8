from __future__ import annotations

import logging
from collections.abc import Sequence
from io import BytesIO
from types import SimpleNamespace
from typing import BinaryIO

import pytest

from host.providers import PluginBlobs, faults
from plugin_sdk import (
    BlobInfo,
    Invalid,
    NotFound,
    ProviderUnavailable,
    StorageProvider,
    TooLarge,
    UpstreamFailed,
)


class Memory(StorageProvider):
    """An honest storage provider that forgets."""

    name = "memory"

    def __init__(self) -> None:
        self.blobs: dict[str, tuple[bytes, str]] = {}

    def put(self, key: str, content: BinaryIO, content_type: str) -> BlobInfo:
        pieces = []
        while piece := content.read(4):
            pieces.append(piece)
        self.blobs[key] = (b"".join(pieces), content_type)
        return self.stat(key)

    def stat(self, key: str) -> BlobInfo:
        if key not in self.blobs:
            raise NotFound(f"no {key}")
        content, content_type = self.blobs[key]
        return BlobInfo(key, len(content), str(hash(content)), 1.0, content_type)

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        self.stat(key)
        end = None if length is None else start + length
        return BytesIO(self.blobs[key][0][start:end])

    def delete(self, key: str) -> bool:
        return self.blobs.pop(key, None) is not None

    def list(
        self, prefix: str = "", *, after: str | None = None, limit: int = 1000
    ) -> Sequence[BlobInfo]:
        keys = [k for k in sorted(self.blobs) if k.startswith(prefix) and k > (after or "")]
        return [self.stat(key) for key in keys[:limit]]


@pytest.fixture
def provider() -> Memory:
    return Memory()


@pytest.fixture
def blobs(provider: Memory) -> PluginBlobs:
    return PluginBlobs("songs", lambda: provider)


def test_each_plugin_has_its_own_area(provider: Memory, blobs: PluginBlobs) -> None:
    other = PluginBlobs("song", lambda: provider)
    info = blobs.put("art/1", b"one", "image/png")
    assert (info.key, info.size, info.content_type) == ("art/1", 3, "image/png")
    assert list(provider.blobs) == ["songs/art/1"]
    assert not other.exists("art/1")
    assert other.list() == []
    assert other.delete("art/1") is False
    assert blobs.read("art/1") == b"one"


def test_a_stream_is_stored_piece_by_piece(blobs: PluginBlobs) -> None:
    class Numbers:
        def __init__(self) -> None:
            self.asked: list[int] = []

        def read(self, size: int = -1) -> bytes:
            self.asked.append(size)
            return b"abcd" if len(self.asked) < 4 else b""

    source = Numbers()
    assert blobs.put("x", source).size == 12  # type: ignore[arg-type]
    assert source.asked == [4, 4, 4, 4]


def test_reading_a_part(blobs: PluginBlobs) -> None:
    blobs.put("x", b"0123456789")
    blob = blobs.get("x")
    assert blob.info.key == "x"
    with blob.open(2, 3) as stream:
        assert stream.read() == b"234"
    with blob.open(7) as stream:
        assert stream.read() == b"789"


def test_listing(blobs: PluginBlobs) -> None:
    for key in ("b/2", "a/1", "b/1", "c"):
        blobs.put(key, b"")
    assert [info.key for info in blobs.list()] == ["a/1", "b/1", "b/2", "c"]
    assert [info.key for info in blobs.list("b/")] == ["b/1", "b/2"]
    assert [info.key for info in blobs.list(after="b/1", limit=1)] == ["b/2"]
    assert blobs.list(limit=0) == []
    assert blobs.list(limit=-1) == []


def test_a_prefix_cannot_lead_out_of_the_area(provider: Memory, blobs: PluginBlobs) -> None:
    provider.blobs["secrets/x"] = (b"", "")
    assert blobs.list("../secrets") == []

    class Careless(Memory):
        def list(self, prefix: str = "", *, after: str | None = None, limit: int = 1000):
            return Memory.list(self, "")

    careless = Careless()
    careless.blobs = {"secrets/x": (b"", ""), "songs/y": (b"", "")}
    assert [info.key for info in PluginBlobs("songs", lambda: careless).list()] == ["y"]


def test_what_is_not_there_is_named_as_the_plugin_knows_it(blobs: PluginBlobs) -> None:
    for call in (blobs.get, blobs.read):
        with pytest.raises(NotFound, match=r'^There is no blob "art/9"\.$'):
            call("art/9")
    assert blobs.delete("art/9") is False
    blobs.put("x", b"1")
    blob = blobs.get("x")
    blobs.delete("x")
    with pytest.raises(NotFound, match="x"):
        blob.open()


@pytest.mark.parametrize("key", ["", "/x", "x/", "a//b", "..", "a/../b", "a\\b", "a\0", "x" * 513])
def test_a_bad_key_is_refused(blobs: PluginBlobs, provider: Memory, key: str) -> None:
    for call in (blobs.get, blobs.read, blobs.exists, blobs.delete):
        with pytest.raises(Invalid):
            call(key)
    with pytest.raises(Invalid):
        blobs.put(key, b"")
    assert provider.blobs == {}


def test_area_and_key_together_must_be_a_key(blobs: PluginBlobs) -> None:
    blobs.put("x" * 506, b"")
    with pytest.raises(Invalid, match="too long"):
        blobs.put("x" * 507, b"")


def test_text_is_no_content(blobs: PluginBlobs) -> None:
    with pytest.raises(Invalid, match="not of str"):
        blobs.put("x", "text")  # type: ignore[arg-type]


def test_without_a_provider_everything_is_unavailable() -> None:
    def none() -> StorageProvider:
        raise ProviderUnavailable("The storage provider s3 is chosen.")

    blobs = PluginBlobs("songs", none)
    calls = [
        lambda: blobs.put("x", b""),
        lambda: blobs.get("x"),
        lambda: blobs.read("x"),
        lambda: blobs.exists("x"),
        lambda: blobs.delete("x"),
        lambda: blobs.list(),
    ]
    for call in calls:
        with pytest.raises(ProviderUnavailable, match="s3 is chosen"):
            call()


def test_a_failing_provider_is_named(provider: Memory, blobs: PluginBlobs) -> None:
    def broken(*_args: object, **_more: object) -> BlobInfo:
        raise OSError("disk on fire")

    provider.stat = broken  # type: ignore[method-assign]
    with pytest.raises(ProviderUnavailable, match="storage provider memory failed") as caught:
        blobs.get("x")
    assert isinstance(caught.value.__cause__, OSError)
    assert "fire" not in caught.value.message


def test_what_a_provider_raises_on_purpose_comes_through(
    provider: Memory, blobs: PluginBlobs
) -> None:
    def down(*_args: object) -> BlobInfo:
        raise UpstreamFailed("The bucket does not answer.")

    provider.stat = down  # type: ignore[method-assign]
    with pytest.raises(UpstreamFailed, match="bucket"):
        blobs.get("x")


def test_a_failing_provider_is_told_once_a_minute_with_the_cause(
    provider: Memory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(faults, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def broken(*_args: object, **_more: object) -> BlobInfo:
        raise NotADirectoryError(20, "Not a directory", "/gone")

    monkeypatch.setattr(provider, "stat", broken)
    shared = faults.ProviderFaults(logging.getLogger("test.providers"))
    blobs = PluginBlobs("songs", lambda: provider, shared)

    def fail() -> None:
        with pytest.raises(ProviderUnavailable):
            blobs.get("x")

    fail()
    (line,) = caplog.messages
    assert line == (
        "The storage provider memory failed at stat: "
        "NotADirectoryError: [Errno 20] Not a directory: '/gone'"
    )
    assert caplog.records[0].levelno == logging.ERROR
    fail()
    fail()
    assert len(caplog.messages) == 1
    with pytest.raises(ProviderUnavailable):  # another operation
        blobs.put("y", b"1")
    assert "failed at put" in caplog.messages[1]
    now[0] += 61
    fail()
    assert caplog.messages[2].endswith("(2 more since the last such line)")


def test_what_is_no_fault_of_a_provider_is_not_told(
    provider: Memory, blobs: PluginBlobs, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        def read(self, size: int = -1) -> bytes:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        blobs.put("x", Failing())  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        blobs.get("x")
    assert caplog.messages == []


@pytest.mark.parametrize(
    "error", [ValueError("mine"), TooLarge("too much"), NotFound("no song")], ids=repr
)
def test_what_the_plugin_s_own_stream_raises_is_its_own(
    blobs: PluginBlobs, error: Exception
) -> None:
    class Failing:
        def read(self, size: int = -1) -> bytes:
            raise error

    with pytest.raises(type(error)) as caught:
        blobs.put("x", Failing())  # type: ignore[arg-type]
    assert caught.value is error
    assert not blobs.exists("x")


def test_the_provider_is_asked_for_anew_each_time(provider: Memory) -> None:
    providers: list[StorageProvider] = [provider]
    blobs = PluginBlobs("songs", lambda: providers[0])
    blobs.put("x", b"1")
    providers[0] = Memory()
    assert not blobs.exists("x")
