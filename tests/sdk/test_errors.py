"""The tree of errors is what its docstring draws."""

from __future__ import annotations

import re

import pytest

from plugin_sdk import errors
from plugin_sdk.errors import (
    CapabilityMissing,
    Conflict,
    Invalid,
    MissingParameter,
    Problem,
    ProviderError,
    StageboxError,
)

_LINE = re.compile(r"^( *)\* (\w+) +(\d{3}) ([A-Z_]+)", re.MULTILINE)


def _drawn() -> dict[str, tuple[str | None, int, str]]:
    """Name -> (parent, status, code) as in the module's docstring."""
    found: dict[str, tuple[str | None, int, str]] = {}
    above: dict[int, str] = {}
    for indent, name, status, code in _LINE.findall(errors.__doc__ or ""):
        depth = len(indent) // 2
        found[name] = (above.get(depth - 1), int(status), code)
        above[depth] = name
    return found


CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, StageboxError)
}


def test_every_class_is_drawn_and_every_drawn_one_exists() -> None:
    assert _drawn().keys() == CLASSES.keys()
    assert len(CLASSES) > 15


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_drawing_tells_parent_status_and_code(name: str) -> None:
    cls = CLASSES[name]
    parent = cls.__bases__[0].__name__ if cls is not StageboxError else None
    assert (parent, cls.status, cls.default_code) == _drawn()[name]


def test_all_of_them_are_exported() -> None:
    assert set(errors.__all__) == CLASSES.keys() | {"Problem"}


@pytest.mark.parametrize("cls", sorted(CLASSES.values(), key=lambda cls: cls.__name__))
def test_each_has_a_sentence_of_its_own(cls: type[StageboxError]) -> None:
    assert cls.__doc__
    assert cls.default_message.endswith(".")
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", cls.default_code)


def test_a_raise_may_narrow_the_code() -> None:
    error = Conflict("One admin must stay.", code="LAST_ADMIN")
    assert (error.code, error.status, error.message) == ("LAST_ADMIN", 409, "One admin must stay.")
    assert Conflict.default_code == "CONFLICT"


def test_the_default_message_stands_where_none_is_given() -> None:
    assert str(Conflict()) == Conflict.default_message
    assert str(Conflict("So.")) == "So."


def test_details_and_headers_are_copies() -> None:
    details = [Problem("pin", "is too short")]
    headers = {"Allow": "GET"}
    error = Invalid("No.", details=details, headers=headers, retry_after=1.5)
    details.clear()
    headers.clear()
    assert error.details == (Problem("pin", "is too short"),)
    assert error.headers == {"Allow": "GET"}
    assert error.retry_after == 1.5


def test_a_missing_parameter_is_a_key_error_with_a_readable_text() -> None:
    error = MissingParameter("serverId")
    assert isinstance(error, KeyError)
    assert isinstance(error, Invalid)
    assert str(error) == "The query parameter serverId is missing."
    assert error.details == (Problem("serverId", "is missing"),)


def test_a_provider_error_says_whether_it_is_for_good() -> None:
    assert not ProviderError().permanent
    error = ProviderError("The key was refused.", permanent=True)
    assert (error.permanent, error.status, error.message) == (True, 502, "The key was refused.")
    assert ProviderError("Slow down.", 30).retry_after == 30


def test_a_missing_capability_says_what_to_do() -> None:
    error = CapabilityMissing("db", "example.board")
    assert error.capability == "db"
    assert 'add "db" to "capabilities"' in error.message
    assert "example.board" in error.message
