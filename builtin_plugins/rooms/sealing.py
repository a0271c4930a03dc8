"""The challenge: a token that only the owner of a key can read (open-group contract, 4.2).

Ephemeral X25519, HMAC-SHA256 with the key ``LOKI``, AES-256-GCM.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from builtin_plugins.rooms.names import Key
from plugin_sdk import Invalid

__all__ = ["IV_BYTES", "Challenge", "Seal", "symmetric_key"]

_LABEL: Final = b"LOKI"
IV_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Challenge:
    """``ciphertext`` is iv, encrypted token and tag; both members are base64."""

    ciphertext: str
    ephemeral_public_key: str


def symmetric_key(shared: bytes) -> bytes:
    """32 bytes for AES of the 32 bytes that both sides know."""
    return hmac.digest(_LABEL, shared, hashlib.sha256)


class Seal:
    """Encrypts one token for ``key``, with a fresh pair unless its secret is given. Raises
    Invalid for a key of low order, with which everybody would share the same secret."""

    def __init__(self, key: Key, secret: X25519PrivateKey | None = None) -> None:
        secret = secret or X25519PrivateKey.generate()
        try:
            shared = secret.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(key[2:])))
        except ValueError:  # an all-zero result
            raise Invalid("public_key is no usable X25519 key.") from None
        self._cipher = AESGCM(symmetric_key(shared))
        self._public = secret.public_key().public_bytes_raw()

    def close(self, token: bytes, iv: bytes | None = None) -> Challenge:
        """With a fresh iv unless it is given."""
        iv = iv or secrets.token_bytes(IV_BYTES)
        ciphertext = iv + self._cipher.encrypt(iv, token, None)
        return Challenge(
            base64.b64encode(ciphertext).decode(), base64.b64encode(self._public).decode()
        )
