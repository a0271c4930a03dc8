"""The options of a host, one entry each: how it is read, checked and what it is by default."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from plugin_sdk import Invalid

__all__ = ["LOG_LEVELS", "OPTIONS", "Option", "address"]

LOG_LEVELS: Final = ("error", "warn", "info", "http", "debug")
_MAX_THREADS: Final = 1024
_MAX_WORKERS: Final = 64

Check = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Option:
    """``check`` takes a value as TOML and flags have it, ``parse`` the text of an environment
    variable; both raise Invalid with the end of a sentence ("must be …")."""

    name: str
    default: Any
    check: Check
    parse: Callable[[str], Any]
    variables: tuple[str, ...]


def address(text: str) -> tuple[str, int]:
    """``host:port`` or ``[IPv6]:port`` as a pair; raises Invalid."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:\[\]/@]+)):([0-9]{1,5})", text)
    if found is None or int(found[3]) > 65535:
        raise Invalid(
            f'cannot use "{text[:80]}": an address is written 127.0.0.1:8085, '
            "0.0.0.0:8085 (every interface) or [::1]:8085."
        )
    return found[1] or found[2], int(found[3])


def _text(value: Any) -> str:
    if not isinstance(value, str) or any(c < " " or c == "\x7f" for c in value):
        raise Invalid("must be a text without control characters.")
    return value


def _texts(each: Callable[[str], object]) -> Check:
    def check(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Invalid("must be a list of texts.")
        for item in value:
            each(item)
        return tuple(dict.fromkeys(value))

    return check


def _listen(value: Any) -> tuple[str, ...]:
    addresses: tuple[str, ...] = _texts(address)(value)
    if not addresses:
        raise Invalid("must name at least one address.")
    return addresses


def _host_name(text: str) -> None:
    if not re.fullmatch(r"[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]", text):
        raise Invalid(f'cannot use "{text[:80]}": write host names without scheme and port.')


def _integer(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Invalid(f"must be an integer from {low} to {high}.")
        return value

    return check


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid("must be true or false.")
    return value


def _choice(*words: str, also: Mapping[str, str] | None = None) -> Check:
    def check(value: Any) -> str:
        text = _text(value).lower()
        text = (also or {}).get(text, text)
        if text not in words:
            raise Invalid(f"must be one of {', '.join(words)}.")
        return text

    return check


def _database(value: Any) -> str:
    text = _text(value)
    if text and not text.startswith(("postgresql://", "postgres://")):
        # Not repeated in the message: it may hold a password.
        raise Invalid('must be a URL that begins with postgresql://, or "" for SQLite.')
    return text


def _path(value: Any) -> Path:
    text = _text(value)
    if not text:
        raise Invalid("must be a path.")
    return Path(text)


def _parse_boolean(text: str) -> bool:
    word = text.lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise Invalid("must be true or false.")


def _parse_integer(check: Check) -> Callable[[str], Any]:
    return lambda text: check(int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text)


def _parse_list(check: Check) -> Callable[[str], Any]:
    return lambda text: check([part.strip() for part in text.split(",") if part.strip()])


def _option(
    name: str,
    default: Any,
    check: Check,
    parse: Callable[[str], Any] | None = None,
    also: tuple[str, ...] = (),
) -> Option:
    variables = ("STAGEBOX_" + name.upper(), *also)
    return Option(name, default, check, parse or check, variables)


_threads = _integer(1, _MAX_THREADS)
_workers = _integer(1, _MAX_WORKERS)
_port = _integer(0, 65535)
_all = (
    _option("listen", ("127.0.0.1:8085",), _listen, _parse_list(_listen)),
    _option("database", "", _database),
    _option("server", "waitress", _choice("waitress", "granian")),
    _option("workers", 2, _workers, _parse_integer(_workers)),
    _option("websocket_port", None, _port, _parse_integer(_port)),
    _option("threads", 16, _threads, _parse_integer(_threads)),
    _option("max_calls_per_plugin", None, _threads, _parse_integer(_threads)),
    _option("allowed_hosts", (), _texts(_host_name), _parse_list(_texts(_host_name))),
    _option("durability", "full", _choice("full", "normal")),
    # The diagnostics contract names LOG_LEVEL, LOG_FORMAT and LOG_FILE without prefix.
    _option(
        "log_level", "info", _choice(*LOG_LEVELS, also={"warning": "warn"}), also=("LOG_LEVEL",)
    ),
    _option("log_format", "text", _choice("text", "json"), also=("LOG_FORMAT",)),
    _option("log_file", None, _path, also=("LOG_FILE",)),
    _option("safe_mode", False, _boolean, _parse_boolean),
)
OPTIONS: Final[Mapping[str, Option]] = {option.name: option for option in _all}
"""By name. The default None means that it depends on other values."""
