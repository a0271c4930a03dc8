"""What the parts of `DatabaseSuite` share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import pytest

from plugin_sdk.database import Database, Table
from plugin_sdk.errors import Invalid
from plugin_sdk.testing.missing import missing

__all__ = ["DEADLINE", "ODD_TEXTS", "REFUSED_TEXTS", "Background", "DatabaseCase", "refused"]

_Result = TypeVar("_Result")

DEADLINE: Final = 60.0
"""Seconds after which a thread that should have gone on counts as stuck."""

ODD_TEXTS: Final = (
    "", " ", "  both  ", "'", "''", '"', "`", "\\", "%", "_", ":name", "?", "$1", "%s", "{}", ";",
    "--",
    "/* no comment */", "'; DROP TABLE people; --", "null", "NULL", "0", "1.0", "true", "\t", "\n",
    "\r\n", "\x01", "\x1b", "\x7f", "\x85", "é", "e\u0301", "ß", "İ", "ı", "日本語", "שלום",
    "\u202e",
    "\u2028", "\ufeff", "\ufffd", "\uffff", "\U0001f600", "\U0001f468\u200d\U0001f469",
    "\U0010ffff",
    "x" * 100_000,
)  # fmt: skip
"""Texts that databases, drivers and escaping like to get wrong."""

REFUSED_TEXTS: Final = ("\0", "a\0b", "\ud800", "a\udfffb")
"""U+0000 and lone surrogates: one of the engines cannot keep them, so neither does."""


class Background(Generic[_Result]):
    """A call on a thread of its own, which a test waits for but does not hang on."""

    def __init__(self, call: Callable[[], _Result]) -> None:
        self._call = call
        self._result: list[_Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> _Result:
        """What the call returned; raises what it raised."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the other thread waits although it must not"
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._call())
        except BaseException as error:  # the test shall see it, whatever it is
            self._error = error


def refused(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Invalid:
    """The error with which a call is refused; fails when it is not."""
    with pytest.raises(Invalid) as caught:
        call(*args, **kwargs)
    assert caught.value.message, "a refusal says what was wrong"
    return caught.value


class DatabaseCase:
    """The fixture that a subclass supplies, and a table to work on."""

    @pytest.fixture
    def database(self) -> Database:
        """An empty database."""
        raise missing("database")

    @pytest.fixture
    def people(self, database: Database) -> Table:
        """An empty table with a column of each type."""
        return database.table("people").create(
            {
                "id": "integer",
                "name": "text",
                "age": "integer",
                "height": "real",
                "photo": "blob",
                "active": "boolean",
                "meta": "json",
            },
            pk="id",
        )
