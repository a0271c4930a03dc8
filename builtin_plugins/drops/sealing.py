"""The box in which messages travel: X25519, HMAC-SHA512 key derivation, AES-256-GCM (contract,
section 6). Known answers are in the tests."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = [
    "MAX_TEXT_BYTES",
    "PDU_BYTES",
    "Opened",
    "Opener",
    "Recipient",
    "SealError",
    "derive",
    "open_box",
    "seal_box",
    "seal_pdu",
]

MAX_TEXT_BYTES: Final = 2048
OVERHEAD: Final = 100
PDU_BYTES: Final = 1 + OVERHEAD + MAX_TEXT_BYTES

_VERSION: Final = b"\x00"
_LABEL: Final = b"Noise255/AES256-GCM" + bytes(5)
_NO_CHAIN: Final = bytes(48)
_KEY: Final = 32
_HEADER: Final = 80

_Who = TypeVar("_Who")


class SealError(ValueError):
    """A box that is not for this key, or was changed on its way. Says nothing more on purpose."""


@dataclass(frozen=True, slots=True)
class Recipient(Generic[_Who]):
    """A private key that boxes may be meant for; ``who`` is handed back with what it opens."""

    private: X25519PrivateKey
    public: bytes
    who: _Who

    @classmethod
    def of(cls, private_key: bytes, who: _Who) -> Recipient[_Who]:
        private = X25519PrivateKey.from_private_bytes(private_key)
        return cls(private, private.public_key().public_bytes_raw(), who)


@dataclass(frozen=True, slots=True)
class Opened(Generic[_Who]):
    """``sender`` is the public key that the box proves."""

    who: _Who
    sender: bytes
    text: bytes


def derive(secret: bytes, extra: bytes, step: int) -> tuple[bytes, bytes, bytes]:
    """The KDF: chain (48 bytes), AES key (32), nonce (12)."""
    label = _LABEL + bytes([step])
    block, output = bytes(64), b""
    for count in (0, 1):
        block = hmac.digest(secret, label + bytes([count]) + block[:32] + extra, "sha512")
        output += block
    return output[:48], output[48:80], output[80:92]


def seal_box(
    sender: bytes, recipient: bytes, text: bytes, *, ephemeral: bytes | None = None
) -> bytes:
    """A box from a private key to a public one. ``ephemeral``, a private key, is drawn anew
    unless a test gives it. Raises SealError for a recipient's key that is none."""
    own = X25519PrivateKey.from_private_bytes(sender)
    once = X25519PrivateKey.from_private_bytes(ephemeral or secrets.token_bytes(_KEY))
    once_public = once.public_key().public_bytes_raw()
    try:
        theirs = X25519PublicKey.from_public_bytes(recipient)
        chain, key, nonce = derive(once.exchange(theirs), _NO_CHAIN, 0)
        shared = own.exchange(theirs)
    except ValueError:
        raise SealError("The recipient's key cannot be used.") from None
    own_public = own.public_key().public_bytes_raw()
    header = once_public + AESGCM(key).encrypt(nonce, own_public, recipient + once_public)
    _, key, nonce = derive(shared, chain, 1)
    return header + AESGCM(key).encrypt(nonce, text + bytes(4), recipient + header)


def seal_pdu(
    sender: bytes, recipient: bytes, text: bytes, *, ephemeral: bytes | None = None
) -> bytes:
    """What is posted to a drop server: always `PDU_BYTES` bytes, whatever the text. Raises
    SealError for a text of more than `MAX_TEXT_BYTES`."""
    if len(text) > MAX_TEXT_BYTES:
        raise SealError("The text is too long for a box.")
    filled = text.ljust(MAX_TEXT_BYTES, b"\x00")
    return _VERSION + seal_box(sender, recipient, filled, ephemeral=ephemeral)


def open_box(box: bytes, recipient: Recipient[_Who]) -> Opened[_Who]:
    """Raises SealError when the box is not for this recipient, or not whole."""
    header, sender, chain = _open_header(box, _ephemeral(box), recipient)
    return _open_body(box, header, sender, chain, recipient)


class Opener(Generic[_Who]):
    """Opens what lies in a box where several recipients read. Of what is not meant for them only
    the header is tried: one exchange of keys and one short decryption for each."""

    def __init__(self, recipients: Sequence[Recipient[_Who]]) -> None:
        self._recipients = tuple(recipients)

    def open_pdu(self, pdu: bytes) -> Opened[_Who] | None:
        """None when it is for nobody here. All zeros at the end of the text are dropped."""
        if len(pdu) != PDU_BYTES or pdu[:1] != _VERSION:
            return None
        box = pdu[1:]
        try:
            ephemeral = _ephemeral(box)
        except SealError:
            return None
        for recipient in self._recipients:
            try:
                header, sender, chain = _open_header(box, ephemeral, recipient)
                opened = _open_body(box, header, sender, chain, recipient)
            except SealError:
                continue
            return Opened(opened.who, opened.sender, opened.text.rstrip(b"\x00"))
        return None


def _ephemeral(box: bytes) -> X25519PublicKey:
    if len(box) < OVERHEAD:
        raise SealError("The box is too short.")
    return X25519PublicKey.from_public_bytes(box[:_KEY])


def _open_header(
    box: bytes, ephemeral: X25519PublicKey, recipient: Recipient[_Who]
) -> tuple[bytes, bytes, bytes]:
    """Header, the sender's public key, and the chain."""
    try:
        chain, key, nonce = derive(recipient.private.exchange(ephemeral), _NO_CHAIN, 0)
        associated = recipient.public + box[:_KEY]
        sender = AESGCM(key).decrypt(nonce, box[_KEY:_HEADER], associated)
    except (ValueError, InvalidTag):  # an all-zero exchange is a ValueError
        raise SealError("The box is for somebody else.") from None
    return box[:_HEADER], sender, chain


def _open_body(
    box: bytes, header: bytes, sender: bytes, chain: bytes, recipient: Recipient[_Who]
) -> Opened[_Who]:
    try:
        shared = recipient.private.exchange(X25519PublicKey.from_public_bytes(sender))
        _, key, nonce = derive(shared, chain, 1)
        padded = AESGCM(key).decrypt(nonce, box[_HEADER:], recipient.public + header)
    except (ValueError, InvalidTag):
        raise SealError("The box was changed on its way.") from None
    padding = int.from_bytes(padded[-4:], "big")
    if padding > len(padded) - 4:
        raise SealError("The box says that it holds more than it does.")
    return Opened(recipient.who, sender, padded[: len(padded) - 4 - padding])
