"""S3 stores that are away or refuse: how to ask them, and what is told of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from builtin_plugins.s3_storage.config import Patience
from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk import ProviderUnavailable
from plugin_sdk.testing import FakeContext

__all__ = [
    "MIB",
    "OPERATIONS",
    "PATIENT",
    "QUICK",
    "SETTINGS",
    "STEADY",
    "UNTIRING",
    "assert_no_secret",
    "make_storage",
    "put",
    "read",
    "told",
]

MIB = 1024 * 1024
SETTINGS = {
    "bucket": "somewhere",
    "prefix": "here",
    "accessKeyId": "AKSECRETID",
    "secretAccessKey": "never-to-be-told",
}
STEADY = replace(Patience(), connect=30.0, answer=60.0, upload=90.0, retry_within=60.0)
"""For a store that is there, on a machine that stands still now and then: the plugin's own patience
is with stores that may be away."""
QUICK = Patience(connect=0.5, answer=0.5, upload=1.0, retry_within=0.3, pause=0.05, rest=0.2)


def put(storage: S3Storage, key: str, content: bytes = b"1") -> Any:
    return storage.put(key, io.BytesIO(content), "a/b")


def read(storage: S3Storage, key: str) -> bytes:
    with storage.open(key) as stream:
        return stream.read()


OPERATIONS: dict[str, Callable[[S3Storage], object]] = {
    "put": lambda storage: put(storage, "a"),
    "put in parts": lambda storage: put(storage, "a", bytes(2 * MIB)),
    "stat": lambda storage: storage.stat("a"),
    "open": lambda storage: storage.open("a"),
    "delete": lambda storage: storage.delete("a"),
    "list": lambda storage: storage.list(),
    "abort_leftovers": lambda storage: storage.abort_leftovers(lambda: True),
}
PATIENT = replace(STEADY, pause=QUICK.pause, rest=QUICK.rest)
"""The same, and soon ready to ask again."""
UNTIRING = replace(QUICK, rest=0.0)  # so that every operation really tries


@pytest.fixture
def make_storage(make_context: Callable[..., FakeContext]) -> Iterator[Callable[..., S3Storage]]:
    made: list[S3Storage] = []

    def make(settings: dict[str, Any], patience: Patience = PATIENT) -> S3Storage:
        context = make_context(settings)
        made.append(S3Storage(context.settings, context.clock, context.log, patience))
        return made[-1]

    yield make
    for storage in made:
        storage.close()


@contextmanager
def told(storage: S3Storage, *parts: str) -> Iterator[None]:
    """The block raises a sentence that names the store, with all of these parts, and no key."""
    with pytest.raises(ProviderUnavailable) as raised:
        yield
    settings = storage._settings
    text = str(raised.value)
    assert "echo" not in text
    for part in (settings["endpoint"], f'"{settings["bucket"]}"', *parts):
        assert part in text, text
    assert_no_secret(raised.value, settings)


def assert_no_secret(error: BaseException | None, settings: Any) -> None:
    while error is not None:
        for name in ("accessKeyId", "secretAccessKey"):
            assert settings[name] not in f"{error} {error!r} {error.args}"
        error = error.__cause__ or error.__context__
