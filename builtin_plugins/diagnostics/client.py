"""What a client sent along."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from builtin_plugins.diagnostics.draft import Draft
from builtin_plugins.diagnostics.wanted import Wanted
from plugin_sdk import dump_json

__all__ = ["add_client", "add_contributions"]

_MAX_ENTRIES: Final = 1000
_MAX_BYTES: Final = 2 * 1000 * 1000
_MAX_CONTRIBUTED: Final = 4 * 1000 * 1000


def add_client(draft: Draft, wanted: Wanted) -> None:
    """The files below ``client/``."""
    if "console" in wanted.sections and wanted.console is not None:
        entries = _newest([draft.clean(entry) for entry in wanted.console[-_MAX_ENTRIES:]])
        if len(entries) < len(wanted.console):
            draft.note(
                f"client/console.json holds the last {len(entries)} of "
                f"{len(wanted.console)} entries."
            )
        draft.bundle.add_json("client/console.json", "client.console.v1", {"entries": entries})
    if "hardware" in wanted.sections:
        _add_object(draft, "hardware", wanted.hardware)
    if "system" in wanted.sections:
        _add_object(draft, "ua", wanted.user_agent)
    if "console" in wanted.sections:
        _add_object(draft, "local_storage", wanted.local_storage, within="data")


def _newest(entries: Sequence[Any]) -> Sequence[Any]:
    """As many of the last ones as fit."""
    left = _MAX_BYTES
    for number, entry in enumerate(reversed(entries)):
        left -= _size(entry) + 1
        if left < 0:
            return entries[len(entries) - number :]
    return entries


def _add_object(
    draft: Draft, name: str, sent: Mapping[str, Any] | None, *, within: str | None = None
) -> None:
    if sent is None:
        return
    path = f"client/{name}.json"
    if _size(sent) > _MAX_BYTES:
        draft.note(f"{path} was left out: it is larger than {_MAX_BYTES} bytes.")
        return
    content = draft.clean(sent)
    draft.bundle.add_json(path, f"client.{name}.v1", {within: content} if within else content)


def add_contributions(draft: Draft, wanted: Wanted, installed: Collection[str]) -> None:
    """The files ``plugins/<id>/client.json``."""
    if _size(wanted.contributions) > _MAX_CONTRIBUTED:
        draft.note(f"The contributions were left out: more than {_MAX_CONTRIBUTED} bytes.")
        return
    unknown = 0
    for plugin_id, contribution in sorted(wanted.contributions.items()):
        if plugin_id in installed:
            draft.bundle.add_value(f"plugins/{plugin_id}/client.json", draft.clean(contribution))
        else:
            unknown += 1
    if unknown:
        draft.note(f"{unknown} contributions were left out: no such plugin is installed.")


def _size(value: Any) -> int:
    """As compact JSON, in bytes."""
    return len(dump_json(value).encode())
