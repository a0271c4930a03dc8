"""All problems of a value, with a bound on how many are told."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from host.schemas import Validator, problems
from plugin_sdk import Problem

__all__ = ["MAX_PROBLEMS", "all_problems"]

MAX_PROBLEMS: Final = 200
"""A body of a megabyte may be wrong in half a million places; nobody reads so many."""


class _Bounded:
    """A validator that stops after `MAX_PROBLEMS` errors."""

    def __init__(self, validator: Validator) -> None:
        self.schema = validator.schema
        self._validator = validator

    def iter_errors(self, instance: Any) -> Iterator[Any]:
        return islice(self._validator.iter_errors(instance), MAX_PROBLEMS)


def all_problems(validator: Validator, value: Any) -> list[Problem]:
    """What is wrong with a value that a client sent: every problem up to `MAX_PROBLEMS`."""
    try:
        return problems(_Bounded(validator), value)[:MAX_PROBLEMS]
    except (OverflowError, RecursionError):
        # An integer beyond the range of a double meets multipleOf, or the schema recurses as
        # deep as the value is nested.
        return [Problem("", "has a number or a nesting beyond what can be checked")]
