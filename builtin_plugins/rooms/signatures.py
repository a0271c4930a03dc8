"""Signatures of messages by X25519 keys (open-group contract, 11).

Ed25519 signatures under the Edwards key that belongs to the Montgomery one; which of the two
possible signs it has is carried in the top bit of the last byte.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from builtin_plugins.rooms.names import Key

__all__ = ["SIGNATURE_BYTES", "edwards_key", "verify"]

SIGNATURE_BYTES: Final = 64
_P: Final = 2**255 - 19
_SIGN: Final = 0x80


def edwards_key(key: Key, sign: int) -> bytes | None:
    """The 32 bytes of the Ed25519 public key with that sign bit (0 or 128); None where the map
    of the curves has no value."""
    u = (int.from_bytes(bytes.fromhex(key[2:]), "little") & (2**255 - 1)) % _P
    if u == _P - 1:
        return None
    y = (u - 1) * pow(u + 1, -1, _P) % _P
    content = bytearray(y.to_bytes(32, "little"))
    content[31] |= sign
    return bytes(content)


def verify(key: Key, data: bytes, signature: bytes) -> bool:
    """Whether the owner of the key signed these bytes; ``signature`` has 64."""
    public = edwards_key(key, signature[63] & _SIGN)
    if public is None:
        return False
    bare = signature[:63] + bytes([signature[63] & ~_SIGN & 0xFF])
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bare, data)
    except (InvalidSignature, ValueError):
        return False
    return True
