"""Which ids, keys and values can be kept (local REST contract, section 6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from builtin_plugins.plugin_data.rows import Address
from plugin_sdk import (
    MAX_VALUE_BYTES,
    Invalid,
    Problem,
    TooLarge,
    check_json,
    dump_json,
    manifest_schema,
)

__all__ = ["address", "check_meta", "is_plugin_id", "storable", "value_text"]

_MAX_ID: Final = 255
_MAX_KEY: Final = 1024


def storable(*texts: str) -> bool:
    """Whether a database can hold these texts at all: no U+0000, no lone surrogate. What it
    cannot hold names nothing."""
    return not any(
        "\0" in text or (not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text))
        for text in texts
    )


def is_plugin_id(text: str) -> bool:
    """Whether a plugin may have this id; rows may stand under other ids too."""
    schema = manifest_schema()["properties"]["id"]
    fits = schema["minLength"] <= len(text) <= schema["maxLength"]
    return fits and re.fullmatch(schema["pattern"], text) is not None


def address(plugin_id: str, key: str, scope: str, server_id: str, owner: str | None) -> Address:
    """Where to write. Scope local ignores the server id. Raises Invalid with every problem."""
    problems = [*_id_problems("pluginId", plugin_id), *_key_problems(key)]
    if scope not in ("local", "server"):
        problems.append(Problem("scope", "must be one of local, server"))
    if scope == "server":
        problems += _id_problems("serverId", server_id, forbidden="/")
    if owner:
        problems += _id_problems("owner", owner)
    if problems:
        raise _invalid("This is no place for plugin data", problems)
    return Address(plugin_id, key, scope, server_id if scope == "server" else "", owner)


def check_meta(key: str, value: str) -> None:
    """Raises Invalid, TooLarge."""
    problems = list(_key_problems(key))
    if not isinstance(value, str):
        problems.append(Problem("value", "must be a text"))
    if problems:
        raise _invalid("This cannot be kept as meta", problems)
    check_json(value)
    _check_size(key, value)


def value_text(key: str, value: Any) -> str:
    """A value as the JSON text that is kept. Raises Invalid for what is no JSON, TooLarge."""
    text = dump_json(value)
    _check_size(key, text)
    return text


def _check_size(key: str, text: str) -> None:
    if len(text.encode()) > MAX_VALUE_BYTES:
        raise TooLarge(f'The value of "{key[:80]}" is larger than {MAX_VALUE_BYTES} bytes.')


def _id_problems(name: str, text: str, forbidden: str = "") -> Iterator[Problem]:
    if not isinstance(text, str) or not 1 <= len(text) <= _MAX_ID or not storable(text):
        yield Problem(name, f"must be a text of 1 to {_MAX_ID} characters")
    elif any(c < " " or "\x7f" <= c <= "\x9f" or c in forbidden for c in text):
        also = f' or "{forbidden}"' if forbidden else ""
        yield Problem(name, f"must not contain control characters{also}")


def _key_problems(key: str) -> Iterator[Problem]:
    if not isinstance(key, str) or not 1 <= len(key) <= _MAX_KEY or not storable(key):
        yield Problem("key", f"must be a text of 1 to {_MAX_KEY} characters")


def _invalid(what: str, problems: list[Problem]) -> Invalid:
    first = problems[0]
    return Invalid(f"{what}: {first.path} {first.message}.", details=problems)
