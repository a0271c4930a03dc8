"""Trying a store out, step by step, before anything depends on it."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator
from typing import Final

from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk import CommandIO, NotFound, StageboxError

__all__ = ["probe"]

_SMALL: Final = b"Stagebox was here to try this store out.\n"
_LARGE: Final = 9 * 1024 * 1024


def probe(storage: S3Storage, terminal: CommandIO) -> bool:
    """Writes, reads, lists and deletes blobs of its own, telling each step; True when all went
    well. A step that fails ends it, and what was stored is removed as far as that goes."""
    key = f"s3_storage/probe/{secrets.token_hex(8)}"
    try:
        for step, do in _steps(storage, key):
            do()
            terminal.print(f"{step}: ok")
    except StageboxError as error:
        terminal.error(f"{step}: {error.message}")
        _clean(storage, key)
        return False
    terminal.print("Everything works. To keep blobs there, choose the storage provider s3.")
    return True


def _steps(storage: S3Storage, key: str) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "write", lambda: storage.put(key, io.BytesIO(_SMALL), "text/plain")
    yield "read", lambda: _expect(_read(storage, key) == _SMALL, "other bytes than were stored")
    yield "read a part", lambda: _expect(_read(storage, key, 9, 3) == _SMALL[9:12], "other bytes")
    yield "list", lambda: _expect(_listed(storage, key), "a listing without what was stored")
    yield "write in parts", lambda: storage.put(key, io.BytesIO(bytes(_LARGE)), "text/plain")
    yield "replace", lambda: _expect(storage.stat(key).size == _LARGE, "the old blob")
    yield "list unfinished uploads", lambda: storage.abort_leftovers(lambda: False)
    yield "delete", lambda: _expect(storage.delete(key) and _gone(storage, key), "no deletion")


def _read(storage: S3Storage, key: str, start: int = 0, length: int | None = None) -> bytes:
    with storage.open(key, start, length) as stream:
        return stream.read()


def _listed(storage: S3Storage, key: str) -> bool:
    return [info.key for info in storage.list(key)] == [key]


def _gone(storage: S3Storage, key: str) -> bool:
    try:
        storage.stat(key)
    except NotFound:
        return True
    return False


def _expect(fulfilled: bool, got: str) -> None:
    if not fulfilled:
        raise StageboxError(f"The store does not do as S3 stores do: it gave {got}.")


def _clean(storage: S3Storage, key: str) -> None:
    try:
        storage.delete(key)
    except StageboxError:
        pass  # what is wrong was told already
