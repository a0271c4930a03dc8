"""Members whose values never leave, whatever was asked for (plugin contract, 8, "Always")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["REDACTED", "SecretMembers", "is_sensitive"]

REDACTED: Final = "<redacted>"

_PARTS: Final = re.compile(
    r"token|secret|password|passwd|api_key|apikey|auth|bearer|phrase|session", re.IGNORECASE
)
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def is_sensitive(name: str) -> bool:
    """By its name: ``newPin``, ``pin_code`` and ``accessToken`` are, ``spinner`` is not."""
    if _PARTS.search(name):
        return True
    return any(word.lower() == "pin" for word in _WORDS.findall(name))


class SecretMembers:
    """Replaces the values of sensitive members, at every depth, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def masked(self, value: Any) -> Any:
        """A copy."""
        if isinstance(value, Mapping):
            return {key: self._member(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.masked(item) for item in value]
        return value

    def _member(self, key: str, item: Any) -> Any:
        if is_sensitive(key):
            self.count += 1
            return REDACTED
        return self.masked(item)
