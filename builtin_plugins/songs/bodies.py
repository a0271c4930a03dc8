"""Fields of JSON bodies, read strictly: booleans are no numbers, 1.0 is no integer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from plugin_sdk import Invalid, Problem

__all__ = ["OBJECT", "Fields"]

OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
_MAX_ID: Final = 2**63 - 1


class Fields:
    """Reads one field after the other; `finish` raises Invalid that lists every problem."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._problems: list[Problem] = []

    def finish(self) -> None:
        if self._problems:
            first = self._problems[0]
            raise Invalid(f"{first.path} {first.message}.", details=self._problems)

    def unfit(self, name: str, message: str) -> None:
        self._problems.append(Problem(name, message))

    def integer(self, name: str, least: int, most: int) -> int:
        value = self._body.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.unfit(name, f"must be an integer from {least} to {most}")
            return least
        return value

    def profile_id(self) -> int | None:
        """``profileId``; absent or null is the caller's own."""
        if self._body.get("profileId") is None:
            return None
        return self.integer("profileId", 1, _MAX_ID)

    def seconds(self, name: str, most: float) -> float:
        value: Any = self._body.get(name)
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not 0 <= value <= most:  # NaN is neither
            self.unfit(name, f"must be a number from 0 to {most:g}")
            return 0.0
        return float(value) + 0.0  # no -0.0

    def text(self, name: str) -> str:
        value = self._body.get(name)
        if not isinstance(value, str):
            self.unfit(name, "must be a text")
            return ""
        return value

    def optional_text(self, name: str, most: int) -> str:
        """Trimmed; ``""`` when it is absent or null."""
        value = self._body.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value.strip()) > most:
            self.unfit(name, f"must be a text of {most} characters at most")
            return ""
        return value.strip()

    def texts(self, name: str, most: int) -> Sequence[str]:
        value = self._body.get(name)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.unfit(name, "must be a list of texts")
            return ()
        if len(value) > most:
            self.unfit(name, f"may have {most} items at most")
            return ()
        return value
