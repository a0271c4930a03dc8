"""Values of the open-group contract (section 3): room ids, keys, base64, integers."""

from __future__ import annotations

import base64
import re
from typing import Any, Final, NewType

from plugin_sdk import Invalid

__all__ = [
    "MAX_SERVER_ID",
    "Key",
    "decode_base64",
    "is_key",
    "is_room_id",
    "json_integer",
    "parse_key",
    "path_integer",
    "query_integer",
]

Key = NewType("Key", str)
"""A person: ``05`` and 64 hex digits, in lower case."""

MAX_SERVER_ID: Final = 2**31 - 1
"""The last number that a message can have."""

_ROOM_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY: Final = re.compile(r"05[0-9a-fA-F]{64}")
_LOWER_KEY: Final = re.compile(r"05[0-9a-f]{64}")
_DIGITS: Final = re.compile(r"()([0-9]+)")
_SIGNED: Final = re.compile(r"(-?)([0-9]+)")
_MIN: Final = -(2**63)
_MAX: Final = 2**63 - 1
_MAX_DIGITS: Final = len(str(_MAX))


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
    match = pattern.fullmatch(text)
    if match is not None:
        sign, digits = match[1], match[2].lstrip("0") or "0"
        if len(digits) <= _MAX_DIGITS and _MIN <= (number := int(sign + digits)) <= _MAX:
            return number
    raise Invalid(f"{name} must be an integer.")


def decode_base64(value: Any, name: str) -> bytes:
    """The bytes of a text in the standard alphabet, with complete padding or none at all, whose
    unused bits are zero, so that encoding gives the same text again. Raises Invalid.

    Long texts are copied as little as possible (17.1: six times the size of an upload at most).
    """
    if isinstance(value, str) and value and value.isascii():
        missing = -len(value) % 4
        content = _decoded(value + "=" * missing if missing else value)
        # Only the last four characters can hold unused bits, or padding that is too much.
        if (
            content
            and (_last_group(content).rstrip("=") if missing else _last_group(content))
            == (value[-(4 - missing) :])
        ):
            return content
    raise Invalid(f"{name} must be base64.")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one
        return b""


def _last_group(content: bytes) -> str:
    return base64.b64encode(content[-((len(content) - 1) % 3 + 1) :]).decode()
