"""The public names, their kinds and signatures: a change of them is a decision.

The list is public_names.txt beside this file. To take over a change that is meant, run

    UPDATE_PUBLIC_NAMES=1 python -m pytest tests/sdk/test_public_names.py
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import plugin_sdk
import plugin_sdk.exports
import plugin_sdk.exposure
import plugin_sdk.management
import plugin_sdk.operations
import plugin_sdk.testing

GOLDEN = Path(__file__).parent / "public_names.txt"
FRONTS = (plugin_sdk, plugin_sdk.testing)
MODULES = (
    *FRONTS,
    plugin_sdk.exports,
    plugin_sdk.exposure,
    plugin_sdk.management,
    plugin_sdk.operations,
)


def _kind(value: Any) -> str:
    if isinstance(value, type):
        if getattr(value, "_is_protocol", False):
            return "protocol"
        if issubclass(value, BaseException):
            return "error"
        if dataclasses.is_dataclass(value):
            return "value"
        return "abstract class" if inspect.isabstract(value) else "class"
    if inspect.isroutine(value):
        return "function"
    return "constant" if isinstance(value, str | int | tuple | dict) else "name"


class _Bare:
    """Shown in a signature as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _default(value: Any) -> Any:
    """As it may stand in a list: without addresses, and of values only what they are."""
    if value is inspect.Parameter.empty or isinstance(value, str | int | float | None):
        return value
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return value
    if "factory" in repr(value):
        return _Bare("<new>")
    return _Bare(getattr(value, "__name__", type(value).__name__))


def _annotation(value: Any) -> Any:
    return _Bare(value) if isinstance(value, str) else value


def _signature(value: Any) -> str:
    try:
        found = inspect.signature(value)
    except ValueError:  # an exception class without an __init__ of its own
        return ""
    parameters = [
        each.replace(default=_default(each.default), annotation=_annotation(each.annotation))
        for each in found.parameters.values()
    ]
    returned = _annotation(found.return_annotation)
    return str(found.replace(parameters=parameters, return_annotation=returned))


def _members(cls: type) -> Iterator[str]:
    """Public members that the class itself defines."""
    annotations = {} if dataclasses.is_dataclass(cls) else inspect.get_annotations(cls)
    for name, annotation in annotations.items():
        if not name.startswith("_"):
            yield f"{name}: {annotation}"
    for name, value in cls.__dict__.items():
        if name.startswith(("_", "test_")) or name in annotations:
            continue
        plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if "FixtureFunction" in type(value).__name__ or hasattr(value, "_pytestfixturefunction"):
            yield f"{name} (fixture)"
        elif isinstance(value, property):
            returned = inspect.signature(value.fget).return_annotation if value.fget else ""
            yield f"{name} -> {returned} (property)"
        elif inspect.isfunction(plain):
            mark = " (class method)" if isinstance(value, classmethod) else ""
            yield f"{name}{_signature(plain)}{mark}"


def _lines() -> Iterator[str]:
    for module in MODULES:
        for name in sorted(module.__all__):
            value = getattr(module, name)
            kind = _kind(value)
            shown = _signature(value) if kind in ("function", "value", "class", "error") else ""
            yield f"{module.__name__}.{name}: {kind} {shown}".rstrip()
            if isinstance(value, type):
                yield from sorted(f"    {member}" for member in _members(value))


def test_public_names_are_those_that_were_agreed() -> None:
    found = "\n".join(_lines()) + "\n"
    if os.environ.get("UPDATE_PUBLIC_NAMES"):
        GOLDEN.write_text(found, encoding="utf-8")
    agreed = GOLDEN.read_text(encoding="utf-8")
    if found != agreed:
        changes = difflib.unified_diff(
            agreed.splitlines(), found.splitlines(), "agreed", "found", lineterm="", n=0
        )
        pytest.fail(
            "The public names have changed. If that is meant, run\n"
            "    UPDATE_PUBLIC_NAMES=1 python -m pytest tests/sdk/test_public_names.py\n"
            "and tell authors of plugins.\n" + "\n".join(changes),
            pytrace=False,
        )


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_name_is_there_once_and_sorted(module: Any) -> None:
    names = module.__all__
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(names, key=str)
    for name in names:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("module", FRONTS, ids=lambda module: module.__name__)
def test_nothing_public_is_forgotten(module: Any) -> None:
    """What the package's front imports is what it exports."""
    imported = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert imported == set(module.__all__)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_classes_and_functions_are_documented(module: Any) -> None:
    missing = {
        name
        for name in module.__all__
        if inspect.isclass(getattr(module, name)) or inspect.isroutine(getattr(module, name))
        if not (getattr(module, name).__doc__ or "").strip()
        or (getattr(module, name).__doc__ or "").startswith(f"{name}(")  # made by dataclass
    }
    assert missing <= {"EpisodeMetadata", "SeasonMetadata"}, "their members say it all"
