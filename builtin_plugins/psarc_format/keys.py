"""The keys that an operator gave, and what they open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from plugin_sdk import Settings, UnreadableSong

try:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:  # before cryptography 47 it stood with the other modes
    from cryptography.hazmat.primitives.ciphers.modes import CFB

__all__ = ["NO_KEYS", "Keys"]

NO_KEYS: Final = "keys are not configured"


@dataclass(frozen=True, slots=True)
class Keys:
    """Each is empty when it was not given. They are never shown."""

    toc_key: bytes = field(default=b"", repr=False)
    toc_iv: bytes = field(default=b"", repr=False)
    sng_pc: bytes = field(default=b"", repr=False)
    sng_mac: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """From the plugin's settings, whose shape is checked."""
        names = ("tocKey", "tocIv", "sngKeyPc", "sngKeyMac")
        return cls(*(bytes.fromhex(settings.get(name) or "") for name in names))

    def open_toc(self, content: bytes) -> bytes:
        """AES-256 in CFB mode with segments of 128 bits. Raises UnreadableSong without keys."""
        if not self.toc_key or not self.toc_iv:
            raise UnreadableSong(NO_KEYS)
        decryptor = Cipher(AES(self.toc_key), CFB(self.toc_iv)).decryptor()
        return decryptor.update(content) + decryptor.finalize()

    def open_sng(self, content: bytes, counter: bytes, *, mac: bool) -> list[bytes]:
        """AES-256 in CTR mode, with each key that may fit, the likeliest first. Raises
        UnreadableSong without keys."""
        likely = (self.sng_mac, self.sng_pc) if mac else (self.sng_pc, self.sng_mac)
        found = []
        for key in filter(None, likely):
            decryptor = Cipher(AES(key), CTR(counter)).decryptor()
            found.append(decryptor.update(content) + decryptor.finalize())
        if not found:
            raise UnreadableSong(NO_KEYS)
        return found
