"""Query parameters, as strictly as the songs contract (section 2) reads them. Texts are such as
texts of files are kept: what no database holds is nowhere, and no error."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from plugin_sdk import Invalid, Problem, Request

__all__ = ["Parameters", "documented"]

_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_BOOLEANS: Final = {"1": True, "true": True, "0": False, "false": False}


class Parameters:
    """Reads one parameter after the other; `finish` raises Invalid that lists every problem.

    A parameter that is unfit reads as its default until then. Unknown ones are ignored."""

    def __init__(self, request: Request) -> None:
        self._raw: Mapping[str, Sequence[str]] = request.query.raw
        self._problems: list[Problem] = []

    def finish(self) -> None:
        if self._problems:
            first = self._problems[0]
            text = f"The query parameter {first.path} {first.message}."
            raise Invalid(text, details=self._problems)

    def text(self, name: str, most: int) -> str | None:
        found = self._one(name)
        if found is not None and len(found) > most:
            self._unfit(name, f"may have {most} characters at most")
            return None
        return found

    def integer(self, name: str, default: int, least: int = 0, most: int = 999_999_999) -> int:
        number = self.optional_integer(name, least, most)
        return default if number is None else number

    def optional_integer(self, name: str, least: int = 0, most: int = 999_999_999) -> int | None:
        found = self._one(name)
        if found is None:
            return None
        if _DIGITS.fullmatch(found) is None or not least <= int(found) <= most:
            self._unfit(name, f"must be an integer from {least} to {most}")
            return None
        return int(found)

    def boolean(self, name: str) -> bool | None:
        found = self._one(name)
        if found is None:
            return None
        if found.lower() not in _BOOLEANS:
            self._unfit(name, "must be one of 1, 0, true, false")
            return None
        return _BOOLEANS[found.lower()]

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        found = self._one(name)
        if found is not None and found not in allowed:
            self._unfit(name, f"must be one of {', '.join(allowed)}")
            return None
        return found

    def several(self, name: str) -> tuple[str, ...]:
        """Items of all occurrences, each divided at commas, trimmed; no empty one, none twice."""
        items = (item.strip() for text in self._texts(name) for item in text.split(","))
        return tuple(dict.fromkeys(item for item in items if item))

    def _one(self, name: str) -> str | None:
        texts = self._texts(name)
        if len(texts) > 1:
            self._unfit(name, "may be given once")
            return None
        return texts[0] if texts else None

    def _texts(self, name: str) -> Sequence[str]:
        return [text.replace("\0", "\ufffd") for text in self._raw.get(name, ())]

    def _unfit(self, name: str, message: str) -> None:
        self._problems.append(Problem(name, message))


def documented(**parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Query parameters for the OpenAPI document: name and schema of each."""
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "schema": {key: value for key, value in schema.items() if key != "description"},
                **({"description": schema["description"]} if "description" in schema else {}),
            }
            for name, schema in parameters.items()
        ]
    }
