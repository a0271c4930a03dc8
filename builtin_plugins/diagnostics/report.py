"""What the host and its plugins say: the log, the list of plugins, their own answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from builtin_plugins.diagnostics.draft import Draft
from builtin_plugins.diagnostics.orphans import orphans
from plugin_sdk import Invalid, dump_json
from plugin_sdk.management import DiagnosticsAnswer, HostInfo, PluginEntry, PluginManagement

__all__ = ["add_answers", "add_log", "add_plugins"]

_LOG_BYTES: Final = 5_242_880
_BLOCK: Final = 64 * 1024
_HOOK_SECONDS: Final = 5.0
_MAX_ANSWER: Final = 4 * 1000 * 1000


def add_log(draft: Draft, info: HostInfo, env: Mapping[str, str]) -> None:
    """``logs/server.log``, in constant memory, and what is to be known about it."""
    file = Path(env["LOG_FILE"]) if env.get("LOG_FILE") else info.data_dir / "logs" / "server.log"
    try:
        size, exists = file.stat().st_size, True
    except OSError:
        size, exists = 0, False
    tail = 0

    def lines() -> Iterator[str]:
        nonlocal tail
        for block in _blocks(info.log_lines(_LOG_BYTES)):
            tail += len(block)
            yield draft.redaction.text(block.decode(errors="replace"))

    draft.bundle.add_text("logs/server.log", lines())
    meta = {
        "log_file": draft.redaction.text(str(file)),
        "exists": exists,
        "size_bytes": size,
        "tail_bytes": tail,
        "truncated": tail < size,
    }
    draft.bundle.add_json("logs/server.log.meta.json", "logs.server.v1", meta)


def _blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines, many at a time: nothing that is replaced goes over a line's end."""
    rest = b""
    for piece in pieces:
        rest += piece
        if len(rest) >= _BLOCK and b"\n" in rest:
            block, end, rest = rest.rpartition(b"\n")
            yield block + end
    if rest:
        yield rest


def add_plugins(draft: Draft, entries: Sequence[PluginEntry], folder: Path) -> None:
    """``system/plugins.json``; ``folder`` is where plugin folders lie."""
    content = {
        "plugins": [entry.as_json() for entry in entries],
        "orphans": orphans(folder, entries),
    }
    draft.bundle.add_json("system/plugins.json", "system.plugins.v1", content)


def add_answers(draft: Draft, plugins: PluginManagement) -> None:
    """The files ``plugins/<id>/server.*``: what the hook ``diagnostics`` of each one gave."""
    for plugin_id, answer in plugins.diagnostics(_HOOK_SECONDS).items():
        try:
            _add_answer(draft, plugin_id, answer)
        except Invalid as error:
            draft.note(f"The diagnostics of {plugin_id} are no JSON", error.message)


def _add_answer(draft: Draft, plugin_id: str, answer: DiagnosticsAnswer) -> None:
    value, path = answer.value, f"plugins/{plugin_id}/server"
    if answer.error is not None:
        draft.note(f"The diagnostics of {plugin_id} failed", answer.error)
    elif isinstance(value, bytes):
        if _fits(draft, plugin_id, len(value)):
            draft.bundle.add_bytes(f"{path}.bin", value)
    elif isinstance(value, str):
        if _fits(draft, plugin_id, len(value.encode(errors="replace"))):
            draft.bundle.add_text(f"{path}.txt", [draft.redaction.text(value)])
    elif isinstance(value, Mapping):
        content: Any = {"pluginId": plugin_id, "data": draft.redaction.value(value)}
        if _fits(draft, plugin_id, len(dump_json(content).encode())):
            draft.bundle.add_json(f"{path}.json", "plugin.server.v1", content)
    elif value is not None:
        kind = type(value).__name__
        draft.note(f"The diagnostics of {plugin_id} are a {kind}: no object, text or bytes.")


def _fits(draft: Draft, plugin_id: str, size: int) -> bool:
    if size > _MAX_ANSWER:
        draft.note(f"The diagnostics of {plugin_id} were left out: more than {_MAX_ANSWER} bytes.")
    return size <= _MAX_ANSWER
