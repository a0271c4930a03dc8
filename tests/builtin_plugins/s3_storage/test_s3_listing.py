"""Listings out of a real store: order, pages, long keys, what others put there."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.s3_storage.client import Client
from builtin_plugins.s3_storage.names import object_name
from builtin_plugins.s3_storage.provider import S3Storage

BUCKET = "stagebox-test"
SEGMENT = st.text("ab .-_~é\U0001f600", min_size=1, max_size=4).filter(
    lambda text: text not in (".", "..")
)
KEYS = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join)


def put(storage: S3Storage, key: str, content: bytes = b"1") -> Any:
    return storage.put(key, io.BytesIO(content), "a/b")


def keys(storage: S3Storage, *arguments: Any, **options: Any) -> list[str]:
    return [info.key for info in storage.list(*arguments, **options)]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What is asked of the store."""
    made: list[tuple[str, dict[str, Any]]] = []
    sent = Client._sent

    def note(self: Client, operation: str, parameters: Any, *rest: Any) -> Any:
        made.append((operation, dict(parameters)))
        return sent(self, operation, parameters, *rest)

    monkeypatch.setattr(Client, "_sent", note)
    return made


@settings(max_examples=12)
@given(
    stored=st.sets(KEYS, max_size=6),
    prefix=st.text("ab/é ", max_size=2),
    after=st.one_of(st.none(), KEYS),
    limit=st.integers(0, 4),
)
def test_listing_any_keys(
    storage: S3Storage, stored: set[str], prefix: str, after: str | None, limit: int
) -> None:
    for key in stored:
        put(storage, key)
    expected = sorted(
        key for key in stored if key.startswith(prefix) and (after is None or key > after)
    )
    assert keys(storage, prefix, after=after) == expected
    assert keys(storage, prefix, after=after, limit=limit) == expected[:limit]
    for key in stored:
        assert storage.delete(key)


def test_no_more_is_asked_for_than_is_wanted(
    storage: S3Storage, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    for number in range(12):
        put(storage, f"a/{number:02}")
    put(storage, "b")
    calls.clear()
    assert keys(storage, "a/", after="a/03", limit=2) == ["a/04", "a/05"]
    listings = [parameters for operation, parameters in calls if operation == "list_objects_v2"]
    assert [parameters["MaxKeys"] for parameters in listings] == [2]
    assert len(calls) == 3, "one page, and the heads of two objects"
    calls.clear()
    assert keys(storage, "a/", after="b") == []
    assert keys(storage, limit=0) == []
    assert calls == []


def test_pages_follow_each_other(
    storage: S3Storage, calls: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from builtin_plugins.s3_storage import listing

    monkeypatch.setattr(listing, "_PAGE", 3)
    expected = [f"{number:02}" for number in range(10)]
    for key in expected:
        put(storage, key)
    calls.clear()
    assert keys(storage) == expected
    assert [operation for operation, _ in calls].count("list_objects_v2") == 4
    assert keys(storage, after="02", limit=5) == expected[3:8]


def test_long_keys_come_in_order_too(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    from builtin_plugins.s3_storage import listing

    monkeypatch.setattr(listing, "_PAGE", 2)
    stem = "é" * 250
    stored = sorted(
        [stem, *(stem + tail for tail in ("a", "b", "b/c", "é", "z")), "é" * 249 + "x", "ê", "d"]
    )
    for key in reversed(stored):
        put(storage, key, key[-3:].encode())
    assert keys(storage) == stored
    for number, key in enumerate(stored):
        assert keys(storage, after=key) == stored[number + 1 :]
        assert keys(storage, after=key, limit=2) == stored[number + 1 : number + 3]
        with storage.open(key) as stream:
            assert stream.read() == key[-3:].encode()
    assert keys(storage, stem + "b") == [stem + "b", stem + "b/c"]
    assert keys(storage, "é") == [key for key in stored if key.startswith("é")]
    assert storage.delete(stem + "b") is True
    assert keys(storage, stem + "b") == [stem + "b/c"]


def test_what_others_put_there_is_no_blob(storage: S3Storage, objects: Any, folder: str) -> None:
    put(storage, "a")
    put(storage, "z")
    cut = object_name("é" * 300)
    for name in ("b/c", "b.txt", "_", "~2zz", "not a name", cut, object_name("..")):
        objects.put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=b"foreign")
    objects.put_object(Bucket=BUCKET, Key=f"{folder}er/b", Body=b"beside the folder")
    assert keys(storage) == ["a", "z"]
    assert keys(storage, limit=2) == ["a", "z"]


def test_what_another_tool_copied_is_a_blob(storage: S3Storage, objects: Any, folder: str) -> None:
    name = f"{folder}/{object_name('songs/a.ogg')}"
    objects.put_object(Bucket=BUCKET, Key=name, Body=b"sound", ContentType="audio/ogg")
    [info] = storage.list()
    assert (info.key, info.size, info.content_type) == ("songs/a.ogg", 5, "audio/ogg")
    assert info == storage.stat("songs/a.ogg")
    assert info.modified > 1.7e9


def test_a_blob_that_goes_while_it_is_listed_is_left_out(
    storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in "abc":
        put(storage, key)
    head = Client.head

    def overtaken(self: Client, name: str) -> Any:
        if name.endswith("/b"):
            self.call("delete_object", {"Key": name})
        return head(self, name)

    monkeypatch.setattr(Client, "head", overtaken)
    assert keys(storage) == ["a", "c"]
