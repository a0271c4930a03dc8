"""What a PUT leaves out: ids, and the times of creation and change (contract, 3.3, rules 9-11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from builtin_plugins.drops import strict
from builtin_plugins.drops.shapes import SECTIONS

__all__ = ["completed", "stamped"]

Step = str | int


def completed(
    old: Mapping[str, Any], steps: tuple[Step, ...], value: Any
) -> tuple[tuple[Step, ...], Any]:
    """Where to write, and the value with what it inherits from what it replaces."""
    if not steps or steps[0] not in SECTIONS:
        return steps, value
    stored = old[steps[0]]
    if len(steps) == 1 and isinstance(value, list):
        known = {each["id"]: each for each in stored}
        return steps, [_with_created(each, known) for each in value]
    if len(steps) == 2 and isinstance(value, dict):
        before = stored[steps[1]]
        return steps, {"id": before["id"], "created": before["created"], **value}
    if steps[-2:] == ("keys", "private_key"):  # the public one follows from it
        return steps[:-1], {"private_key": value}
    return steps, value


def stamped(
    old: Mapping[str, Any],
    new: dict[str, Any],
    steps: Sequence[Step],
    *,
    given_value: Any,
    now: int,
) -> None:
    """Sets ``updated`` of the items that a PUT changed, unless it named that itself."""
    section = steps[0]
    if section not in SECTIONS:
        return
    before = {each["id"]: each for each in old[section]}
    if len(steps) == 1:
        for item, given in zip(new[section], given_value, strict=True):
            if "updated" not in given:
                known = before.get(item["id"]) if "id" in given else None
                item["updated"] = _updated(known, item, now) if known is not None else 0
        return
    number = steps[1]
    assert isinstance(number, int)
    named = "updated" in given_value if len(steps) == 2 else steps[2] == "updated"
    if not named:
        item = new[section][number]
        item["updated"] = _updated(old[section][number], item, now)


def _with_created(item: Any, known: Mapping[int, Mapping[str, Any]]) -> Any:
    if not isinstance(item, dict) or "created" in item:
        return item
    number = item.get("id")
    is_number = isinstance(number, int) and not isinstance(number, bool)
    before = known.get(number) if is_number and number is not None else None
    return item if before is None else {**item, "created": before["created"]}


def _updated(before: Mapping[str, Any], after: Mapping[str, Any], now: int) -> int:
    stored: int = before["updated"]
    return stored if _content(before) == _content(after) else now


def _content(item: Mapping[str, Any]) -> str:
    """As text: Python takes 1, 1.0 and true for equal."""
    return strict.compact({name: value for name, value in item.items() if name != "updated"})
