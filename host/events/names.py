"""What an event may be called and what it may carry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from plugin_sdk import Invalid, dump_json

__all__ = ["MAX_DATA_BYTES", "check_event_name", "check_pattern", "encode_data"]

MAX_DATA_BYTES: Final = 256 * 1024
"""The largest data of one event, as compact JSON in UTF-8."""

# No dot in the last part: the emitter is what stands before the last dot, so that plugin "a"
# cannot speak in the name of plugin "a.b".
_WHAT: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MAX_WHAT: Final = 100
_PATTERN: Final = re.compile(r"[a-z][a-z0-9_.-]*\*?|\*")
_MAX_PATTERN: Final = 200


def check_event_name(source: str, name: str) -> None:
    """Raises Invalid unless ``name`` is ``<source>.<lower-case words joined by _>``."""
    prefix = f"{source}."
    if not isinstance(name, str) or not name.startswith(prefix):
        raise Invalid(f'The event name {name!r} must begin with "{prefix}".')
    what = name[len(prefix) :]
    if len(what) > _MAX_WHAT or not _WHAT.fullmatch(what):
        raise Invalid(
            f"The event name {name!r} is not usable: what follows {prefix!r} must be lower-case "
            f"words joined by underscores, at most {_MAX_WHAT} characters, in the past tense "
            f'("{prefix}message_posted").'
        )


def check_pattern(pattern: str) -> None:
    """Raises Invalid unless ``pattern`` is an event name or the beginning of one and ``*``."""
    if (
        not isinstance(pattern, str)
        or len(pattern) > _MAX_PATTERN
        or not _PATTERN.fullmatch(pattern)
    ):
        raise Invalid(
            f'{pattern!r} is no event to subscribe to: write a name ("rooms.deleted"), or its '
            f'beginning and one "*" at the end ("rooms.*").'
        )


def encode_data(name: str, data: Mapping[str, Any] | None) -> str:
    """The data of event ``name`` as JSON text; raises Invalid with a sentence on what is wrong."""
    if data is None:
        return "{}"
    if not isinstance(data, Mapping):
        raise Invalid(f"The data of event {name} must be a JSON object, not {type(data).__name__}.")
    try:
        text = dump_json(dict(data))
    except Invalid as error:
        raise Invalid(f"The data of event {name} cannot be kept: {error.message}") from None
    except (ValueError, RecursionError) as error:  # an integer beyond 4,300 digits, say
        raise Invalid(f"The data of event {name} cannot be written as JSON: {error}.") from None
    size = len(text) if text.isascii() else len(text.encode())
    if size > MAX_DATA_BYTES:
        raise Invalid(
            f"The data of event {name} has {size} bytes of JSON; {MAX_DATA_BYTES} are allowed. "
            f"Tell an id and let subscribers ask for the rest."
        )
    return text
