"""Every hook is listed, documented, and answered with the arguments of its specification."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import pytest

from plugin_sdk import HOOK_NAMES, Plugin, hookspecs
from plugin_sdk.hookspecs import PROJECT

# Marked by pluggy's HookspecMarker, in order of definition.
SPECIFIED = [name for name, value in vars(hookspecs).items() if hasattr(value, f"{PROJECT}_spec")]

SIGNATURES = {
    "check": "() -> 'Iterable[str] | None'",
    "migrations": "() -> 'Sequence[Migration]'",
    "enable": "() -> 'None'",
    "disable": "() -> 'None'",
    "routes": "() -> 'Sequence[Route | WebSocketRoute]'",
    "filters": "() -> 'Sequence[RequestFilter]'",
    "providers": "() -> 'Sequence[Provider]'",
    "subscriptions": "() -> 'Sequence[Subscription]'",
    "jobs": "() -> 'Sequence[Job]'",
    "commands": "() -> 'Sequence[Command]'",
    "pages": "() -> 'Sequence[Page | Panel]'",
    "diagnostics": "() -> 'Mapping[str, Any] | str | bytes | None'",
    "holds": "(plugin_id: 'str') -> 'Mapping[str, int]'",
    "purge": "(plugin_id: 'str', scope: 'PurgeScope') -> 'int'",
    "decide": (
        "(principal: 'Principal', permission: 'str', resources: 'Sequence[Any]') -> 'bool | None'"
    ),
}


def _spec(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(hookspecs, name)
    return found


def test_hook_names_are_complete_and_in_order() -> None:
    assert list(HOOK_NAMES) == SPECIFIED
    assert len(set(HOOK_NAMES)) == len(HOOK_NAMES)


def test_signatures_are_those_of_this_version() -> None:
    found = {name: str(inspect.signature(_spec(name))) for name in SPECIFIED}
    assert found == SIGNATURES


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_each_is_documented_and_named_in_the_module(name: str) -> None:
    doc = inspect.getdoc(_spec(name)) or ""
    assert doc.strip().endswith(".")
    assert f"`{name}`" in (hookspecs.__doc__ or "")


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_the_base_class_has_the_same_arguments_and_answer(name: str) -> None:
    specified = inspect.signature(_spec(name))
    implemented = inspect.signature(getattr(Plugin, name))
    arguments = list(implemented.parameters.values())[1:]
    assert arguments == list(specified.parameters.values())
    assert implemented.return_annotation == specified.return_annotation


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_annotations_of_the_base_class_can_be_resolved(name: str) -> None:
    assert "return" in typing.get_type_hints(getattr(Plugin, name))
