"""Data files of packs: strict JSON, and JSON with comments in ``.jsonc``."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from plugin_sdk import UnreadableSong

__all__ = ["MAX_DATA_BYTES", "parse_data"]

MAX_DATA_BYTES: Final = 32 * 1024 * 1024

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|//[^\r\n]*|/\*.*?(\*/|\Z)', re.DOTALL)
"""Texts first, so that what looks like a comment inside one stays. A comment that does not end
goes on to the end: to be looked for again behind each beginning, it would take hours."""


def parse_data(content: bytes, name: str) -> Any:
    """The value of a data file; ``name`` decides about comments. NaN and Infinity are null, which
    counts as absent everywhere (songs contract, 9.1). Raises UnreadableSong."""
    try:
        decoded = content.decode("utf-8-sig")
        if name.lower().endswith(".jsonc"):
            decoded = _without_comments(decoded, name)
        return json.loads(decoded, parse_constant=lambda _: None)
    except UnicodeDecodeError as error:
        raise UnreadableSong(f"{name} is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableSong(f"{name} is no JSON: {error.msg}, {where}") from None
    except (RecursionError, ValueError):  # deep nesting; integers beyond 4,300 digits
        raise UnreadableSong(f"{name} is too deep, or has too long a number") from None


def _without_comments(text: str, name: str) -> str:
    def kept(match: re.Match[str]) -> str:
        if match.group(1) == "":
            raise UnreadableSong(f"{name} has a comment that does not end")
        token = match.group()
        return token if token.startswith('"') else " "

    return _TOKEN.sub(kept, text)
