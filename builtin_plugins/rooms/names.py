"""Values of the open-group contract (section 3): room ids, keys, base64, integers."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final, NewType

from plugin_sdk import Invalid

__all__ = [
    "Key",
    "RoomId",
    "decode_base64",
    "is_key",
    "is_room_id",
    "json_integer",
    "parse_key",
    "path_integer",
    "query_integer",
]

RoomId = NewType("RoomId", str)
Key = NewType("Key", str)
"""A person: ``05`` and 64 hex digits, in lower case."""

_ROOM_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY: Final = re.compile(r"05[0-9a-fA-F]{64}")
_LOWER_KEY: Final = re.compile(r"05[0-9a-f]{64}")
_DIGITS: Final = re.compile(r"[0-9]+")
_SIGNED: Final = re.compile(r"-?[0-9]+")
_MIN: Final = -(2**63)
_MAX: Final = 2**63 - 1
_MAX_DIGITS: Final = 4000  # int() refuses more than 4,300; leading zeros are legal


def is_room_id(text: Any) -> bool:
    return isinstance(text, str) and _ROOM_ID.fullmatch(text) is not None


def is_key(text: Any) -> bool:
    """Whether it is a key in lower case, as it is stored."""
    return isinstance(text, str) and _LOWER_KEY.fullmatch(text) is not None


def parse_key(value: Any, name: str = "public_key") -> Key:
    """A key in either case, folded. Raises Invalid."""
    if not isinstance(value, str) or _KEY.fullmatch(value) is None:
        raise Invalid(f"{name} must be 05 and 64 hex digits.")
    return Key(value.lower())


def json_integer(value: Any, name: str) -> int:
    """An integer of a JSON body, within 64 bits; no boolean, no fraction. Raises Invalid."""
    if type(value) is not int or not _MIN <= value <= _MAX:
        raise Invalid(f"{name} must be an integer.")
    return value


def query_integer(text: str, name: str) -> int:
    """Raises Invalid."""
    return _integer(_SIGNED, text, name)


def path_integer(text: str, name: str) -> int:
    """Raises Invalid."""
    return _integer(_DIGITS, text, name)


def _integer(pattern: re.Pattern[str], text: str, name: str) -> int:
    if pattern.fullmatch(text) is not None and len(text) <= _MAX_DIGITS:
        number = int(text)
        if _MIN <= number <= _MAX:
            return number
    raise Invalid(f"{name} must be an integer.")


def decode_base64(value: Any, name: str) -> bytes:
    """The bytes of a text in the standard alphabet, with complete padding or none at all, whose
    unused bits are zero, so that encoding gives the same text again. Raises Invalid."""
    if not isinstance(value, str) or not value or not value.isascii():
        raise Invalid(f"{name} must be base64.")
    bare = value.rstrip("=") if value.endswith("=") else value
    padding = "=" * (-len(bare) % 4)
    if len(bare) == len(value) or len(value) == len(bare) + len(padding):
        try:
            content = base64.b64decode(bare + padding, validate=True)
        except (binascii.Error, ValueError):
            raise Invalid(f"{name} must be base64.") from None
        if content and _last_group(content) == (bare + padding)[-4:]:
            return content
    raise Invalid(f"{name} must be base64.")


def _last_group(content: bytes) -> str:
    """The last four characters of the encoded text: only there bits can be left over."""
    return base64.b64encode(content[-((len(content) - 1) % 3 + 1) :]).decode()
