"""What a client sends to log in (local REST contract, 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from plugin_sdk import Invalid, Problem

__all__ = ["Credentials", "is_claimed"]

_OWN: Final = frozenset({"username", "password", "serverUrl"})
_OTHERS: Final = frozenset({"profileName", "pin", "account"})
_MAX_USERNAME: Final = 255
_MAX_PASSWORD: Final = 4096


def is_claimed(body: Mapping[str, Any]) -> bool:
    """Whether a login body is meant for a signaling server; a profile's login, and one with
    ``account``, belong to other providers whatever else they hold."""
    return not _OWN.isdisjoint(body) and _OTHERS.isdisjoint(body)


@dataclass(frozen=True, slots=True)
class Credentials:
    """``username`` is trimmed, ``password`` is as it was sent, ``server_url`` is what the client
    calls its server: never a place to send anything to."""

    username: str
    password: str = field(repr=False)
    server_url: str

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Credentials:
        """Raises Invalid with one detail for each bad field."""
        username, password, server = (
            body.get(name) for name in ("username", "password", "serverUrl")
        )
        problems = [
            Problem(name, message)
            for name, message in (
                ("username", _problem(username, trim=True, longest=_MAX_USERNAME)),
                ("password", _problem(password, trim=False, longest=_MAX_PASSWORD)),
                ("serverUrl", _problem(server, trim=True, longest=None)),
            )
            if message is not None
        ]
        if problems:
            listed = "; ".join(f"{each.path} {each.message}" for each in problems)
            raise Invalid(f"This is no login: {listed}.", details=problems)
        assert isinstance(username, str)
        assert isinstance(password, str)
        assert isinstance(server, str)
        return cls(username.strip(), password, server)


def _problem(value: Any, *, trim: bool, longest: int | None) -> str | None:
    if value is None:
        return "is missing"
    if not isinstance(value, str):
        return "must be a text"
    text = value.strip() if trim else value
    if not text:
        return "must not be empty"
    if longest is not None and len(text) > longest:
        return f"must have at most {longest} characters"
    return None
