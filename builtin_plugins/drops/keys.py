"""Keys of X25519 (RFC 7748) as 64 hex digits (contract, 4.1 and 4.2)."""

from __future__ import annotations

import re
import secrets
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

__all__ = ["is_key", "is_usable_public_key", "new_private_key", "public_key_of"]

_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_ANY_PRIVATE: Final = bytes(range(32))


def is_key(text: str) -> bool:
    """Whether it has the form of a key: 32 bytes in hex, upper case accepted."""
    return _KEY.fullmatch(text) is not None


def public_key_of(private_key: str) -> str:
    """The public key, in lower case, of a private one. Clamping happens inside."""
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(private_key))
    return private.public_key().public_bytes_raw().hex()


def is_usable_public_key(public_key: str) -> bool:
    """False for the few keys with which every exchange yields zeros (RFC 7748, 6.1)."""
    public = X25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    try:
        X25519PrivateKey.from_private_bytes(_ANY_PRIVATE).exchange(public)
    except ValueError:
        return False
    return True


def new_private_key() -> str:
    """32 random bytes in hex."""
    return secrets.token_bytes(32).hex()
