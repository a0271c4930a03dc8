"""The server's long-term X25519 key: part of join addresses (open-group contract, 13.1)."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from plugin_sdk import Invalid

__all__ = ["ServerKey"]

_NAME: Final = "x25519.key"
_BYTES: Final = 32


class ServerKey:
    """The service ``rooms.server_key``. The file is made when it is first needed; the secret is
    never handed out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def public(self) -> bytes:
        """32 bytes."""
        return self._secret().public_key().public_bytes_raw()

    def exchange(self, public_key: bytes) -> bytes:
        """The 32 bytes that both sides know. Raises Invalid for what is no usable key."""
        try:
            return self._secret().exchange(X25519PublicKey.from_public_bytes(public_key))
        except ValueError:
            raise Invalid("This is no usable X25519 key.") from None

    def _secret(self) -> X25519PrivateKey:
        path = self._folder / _NAME
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            self._make(path)
            content = path.read_bytes()
        if len(content) != _BYTES:
            raise Invalid(f"{_NAME} is damaged: it must have {_BYTES} bytes. Restore a backup.")
        return X25519PrivateKey.from_private_bytes(content)

    def _make(self, path: Path) -> None:
        """Written aside and then given its name, which only one of several processes can do."""
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{_NAME}.{secrets.token_hex(8)}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(X25519PrivateKey.generate().private_bytes_raw())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process was faster
                os.link(part, path)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            part.unlink(missing_ok=True)
