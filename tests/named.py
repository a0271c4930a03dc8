"""What code of the tests and examples names."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any

__all__ = ["names_in"]

_ROOT = Path(__file__).parents[1]
_OURS = (str(_ROOT / "tests"), str(_ROOT / "examples"))


def names_in(function: Any) -> frozenset[str]:
    """All that a function names, and what those of ours name that it names."""
    return _all_names(_plain(function))


@cache
def _all_names(thing: Any) -> frozenset[str]:
    """What a function or class names, and what those of ours name that it names."""
    found: set[str] = set()
    seen: set[Any] = set()
    ahead = [thing]
    while ahead:
        thing = ahead.pop()
        if thing in seen:
            continue
        seen.add(thing)
        if isinstance(thing, type):
            found.update(base.__name__ for base in thing.__bases__)
            known = [*vars(thing).values(), *thing.__bases__]
        else:
            names = _names(thing.__code__)
            found |= names
            known = [thing.__globals__.get(name) for name in names]
        ahead += [plain for each in known if _is_ours(plain := _plain(each))]
    return frozenset(found)


def _names(code: CodeType) -> set[str]:
    """Of what code uses, and the functions in it: globals, attributes, parameters."""
    found = {*code.co_names, *code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found


def _plain(function: Any) -> Any:
    while True:
        if isinstance(function, MethodType | staticmethod | classmethod):
            function = function.__func__
        elif isinstance(function, property):
            function = function.fget
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            return function


def _is_ours(thing: Any) -> bool:
    if isinstance(thing, FunctionType):
        file = thing.__code__.co_filename
    elif isinstance(thing, type):
        file = getattr(sys.modules.get(thing.__module__), "__file__", None) or ""
    else:
        return False
    return file.startswith(_OURS)
