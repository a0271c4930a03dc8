"""Trying a storage provider before an administrator relies on it."""

from __future__ import annotations

import secrets
import time
from io import BytesIO

from plugin_sdk import ProviderUnavailable, StorageProvider

__all__ = ["try_storage"]

_BYTES = 64 * 1024


def try_storage(storage: StorageProvider) -> str:
    """Keeps a blob of 64 KiB, reads it, forgets it; says how long that took. Raises
    ProviderUnavailable when something else came back, and what the provider raises."""
    key = f"_stagebox/trial-{secrets.token_hex(8)}"
    content = secrets.token_bytes(_BYTES)
    began = time.monotonic()
    storage.put(key, BytesIO(content), "application/octet-stream")
    try:
        with storage.open(key) as stream:
            found = stream.read()
    finally:
        storage.delete(key)
    if found != content:
        raise ProviderUnavailable(
            f"{storage.name} gave back {len(found)} bytes that are not those that it was given."
        )
    took = round((time.monotonic() - began) * 1000)
    return f"{storage.name} kept, gave back and forgot {_BYTES // 1024} KiB in {took} ms."
