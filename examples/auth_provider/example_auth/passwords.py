"""Passwords as hashes: ``scrypt$<n>$<r>$<p>$<salt>$<key>``, the last two in base64."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from typing import Final

__all__ = ["DECOY", "hashed", "matches"]

N, R, P = 2**14, 8, 5
"""One of the settings that OWASP's Password Storage Cheat Sheet recommends: 16 MiB of memory."""

_MAX_MEMORY: Final = 256 * 1024 * 1024


def hashed(password: str) -> str:
    """A new hash, with a salt of its own."""
    salt = secrets.token_bytes(16)
    return _text(N, R, P, salt, _key(password, salt, N, R, P))


def matches(password: str, stored: str) -> bool:
    """Whether this is the password; ValueError when ``stored`` is no such hash."""
    _, n, r, p, salt, key = stored.split("$")
    found = _key(password, b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, b64decode(key))


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    text = password.encode(errors="surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=32)


def _text(n: int, r: int, p: int, salt: bytes, key: bytes) -> str:
    return f"scrypt${n}${r}${p}${b64encode(salt).decode()}${b64encode(key).decode()}"


DECOY: Final = _text(N, R, P, bytes(16), bytes(32))
"""No password has this hash: an unknown account is checked against it, so that its answer takes
as long as that of a known one."""
