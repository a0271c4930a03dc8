"""PINs, recovery phrases and tokens at rest (plugin contract, 2.2 and 2.3)."""

from __future__ import annotations

import hashlib
import threading
from base64 import b64encode
from typing import Final
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

__all__ = ["DECOY", "SecretHasher", "token_hash"]

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
LANES: Final = 1
"""The least that OWASP's Password Storage Cheat Sheet recommends for Argon2id."""


def _unpadded(content: bytes) -> str:
    return b64encode(content).decode().rstrip("=")


DECOY: Final = (
    f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}"
    f"${_unpadded(bytes(16))}${_unpadded(bytes(32))}"
)
"""Nobody's hash: a name that does not exist is judged against it, so that its answer takes as
long as that of a wrong PIN."""


class SecretHasher:
    """Argon2id over the UTF-8 bytes of the NFC form.

    ``slots`` runs go on at once, the others wait: each takes 19 MiB and a processor, and the
    interpreter lock is free meanwhile.
    """

    def __init__(self, slots: int) -> None:
        self._argon2 = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._slots = threading.BoundedSemaphore(slots)

    def hash(self, secret: str) -> str:
        """A new PHC string, with a salt of its own."""
        with self._slots:
            return self._argon2.hash(_encoded(secret))

    def matches(self, stored: str, secret: str) -> bool:
        """Whether the PHC string is of this secret. Raises InvalidHashError for what is none."""
        try:
            with self._slots:
                return self._argon2.verify(stored, _encoded(secret))
        except VerifyMismatchError:
            return False

    def renewed(self, stored: str, secret: str) -> str | None:
        """The secret hashed with today's parameters, when ``stored`` has others."""
        return self.hash(secret) if self._argon2.check_needs_rehash(stored) else None


def token_hash(token: str) -> str:
    """What is stored of a token: SHA-256 in hex over its ASCII text."""
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def _encoded(secret: str) -> bytes:
    return normalize("NFC", secret).encode()
