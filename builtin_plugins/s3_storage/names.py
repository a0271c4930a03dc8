"""How the store names what the plugins know by a key.

Stores differ in what they take: some keep objects as files, so that ``a`` and ``a/b`` cannot both
be there, a part between slashes has 255 bytes at most, and a listing goes folder by folder, which
is not the order of code points. So names are flat, in few letters that all stores take, and have
the order of the keys::

    0-9 A-Z a-z -          themselves
    .   /   _              .-  ._  __
    space to ,             !a to !m        (control characters: !0 to !V)
    : to @                 @a to @g
    [ \\ ] ^ `              _0 _1 _2 _3 _a
    { and beyond           ~, how many hexadecimal digits, the code point

No code begins with another one, and codes have the order of what they stand for; so the order of
texts, and which text begins with which, is that of their codes.

After each 200 letters stands ``-/``, if there are more: no part is too long, and no file has the
name of a folder. A code of more than 768 letters is cut there; ``!`` and a hash of the key follow,
and the object's metadata name the key.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

__all__ = ["encoded", "is_cut", "key_of", "object_name", "prefix_name", "start_name", "stem_of"]

_LIMIT: Final = 768
_PART: Final = 200
_BREAK: Final = "-/"
_CONTROLS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_TOKEN: Final = re.compile(
    r"![0-9A-Va-m]|-|\.[-_]|[0-9]|@[a-g]|[A-Z]|_[0-3_a]|[a-z]"
    r"|~(?:2[0-9a-f]{2}|3[0-9a-f]{3}|4[0-9a-f]{4}|5[0-9a-f]{5}|6[0-9a-f]{6})"
)


class _Codes(dict[int, str]):
    """For `str.translate`: what has no code of its own gets one by its number."""

    def __missing__(self, point: int) -> str:
        digits = f"{point:x}"
        return f"~{len(digits)}{digits}"


def _codes() -> _Codes:
    codes = _Codes()
    codes.update((point, "!" + _CONTROLS[point]) for point in range(0x20))
    codes.update((0x20 + number, "!" + letter) for number, letter in enumerate("abcdefghijklm"))
    codes.update({ord("-"): "-", ord("."): ".-", ord("/"): "._"})
    codes.update((point, chr(point)) for point in range(ord("0"), ord("9") + 1))
    codes.update((ord(":") + number, "@" + letter) for number, letter in enumerate("abcdefg"))
    for first in "Aa":
        codes.update((point, chr(point)) for point in range(ord(first), ord(first) + 26))
    codes.update((ord("[") + number, "_" + letter) for number, letter in enumerate("0123_a"))
    return codes


_CODES: Final = _codes()
_TEXTS: Final = {code: chr(point) for point, code in _CODES.items()}
_STEM: Final = _LIMIT + (_LIMIT - 1) // _PART * len(_BREAK)


def encoded(text: str) -> str:
    """The code of any text, uncut."""
    return text.translate(_CODES)


def object_name(key: str) -> str:
    """The name of the object that holds a key."""
    code = encoded(key)
    if len(code) > _LIMIT:
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        code = f"{code[:_LIMIT]}!{digest}"
    return _broken(code)


def prefix_name(prefix: str) -> str:
    """What the names of all keys with this prefix begin with; names of few others do."""
    return _broken(encoded(prefix)[:_LIMIT])


def start_name(after: str) -> str:
    """A name: those of all keys greater than ``after`` come behind it. So do the names of other
    keys only if they are cut and have the same stem as the code of ``after``."""
    return _broken(encoded(after)[:_LIMIT])


def is_cut(name: str) -> bool:
    """Whether the object's metadata must be asked for the key."""
    return len(name) > _STEM


def stem_of(name: str) -> str:
    """What a cut name shares with those of all keys that begin alike. Only their keys tell the
    order of such names."""
    return name[:_STEM]


def key_of(name: str) -> str | None:
    """The key of a name that is not cut; None for what is no name of ours."""
    code = name.replace(_BREAK, "") if len(name) > _PART else name
    text = "".join(_text(token) for token in _TOKEN.findall(code))
    return text if text and object_name(text) == name else None


def _text(token: str) -> str:
    known = _TEXTS.get(token)
    if known is not None:
        return known
    point = int(token[2:], 16)
    return chr(point) if point <= 0x10FFFF else ""


def _broken(code: str) -> str:
    if len(code) <= _PART:
        return code
    return _BREAK.join(code[start : start + _PART] for start in range(0, len(code), _PART))
