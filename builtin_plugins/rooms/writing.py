"""Write transactions of the rooms, and whom they tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from plugin_sdk import Context, DatabaseUnavailable

__all__ = ["PATIENCE", "Writing"]

PATIENCE: Final = 60.0
"""Seconds that a write waits for those of other processes: posts wait for an import, which may
take longer than the database lets anybody wait (local REST contract, 10)."""
_WAITED: Final = 5.0
"""Seconds; a refusal after less was none for want of a turn."""


class _Pending(threading.local):
    """Of each thread: how deep its transactions are nested, and the hooks that wait for the
    commit as (hook, arguments)."""

    def __init__(self) -> None:
        self.depth = 0
        self.hooks: list[tuple[str, dict[str, Any]]] = []


class Writing:
    """All writers of this plugin use `transaction`, so that hooks are called after the commit.
    Events need nothing of it: the host keeps them in the transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pending = _Pending()

    @contextmanager
    def transaction(self, patience: float = PATIENCE) -> Iterator[None]:
        """All or nothing; nests by savepoints, whose hooks are forgotten when they are undone.
        Raises DatabaseUnavailable when the database answers so at once, or has let us wait for
        ``patience`` seconds."""
        hooks = self._pending.hooks
        mark = len(hooks)
        with self.gathered():
            try:
                with ExitStack() as stack:
                    self._enter(stack, patience)
                    yield
            except BaseException:
                del hooks[mark:]
                raise

    def _enter(self, stack: ExitStack, patience: float) -> None:
        deadline = time.monotonic() + patience
        while True:
            began = time.monotonic()
            try:
                stack.enter_context(self._context.db.transaction())
                return
            except DatabaseUnavailable:
                now = time.monotonic()
                if now - began < _WAITED or now > deadline:
                    raise

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Hooks of transactions inside wait until this ends: foreign code must not run under a
        lock of ours."""
        pending = self._pending
        pending.depth += 1
        try:
            yield
        finally:
            pending.depth -= 1
            if pending.hooks and not pending.depth:
                waiting, pending.hooks = pending.hooks, []  # they may write, and tell themselves
                for name, arguments in waiting:
                    self._context.hooks.call(name, **arguments)

    def saved(self, kind: str, id: str, doc: Any, *, event: bool = True) -> None:
        """Tells that something was made or changed; inside of `transaction`. Without ``event``
        the hook alone is called."""
        if event:
            self.tell("rooms.saved", {"kind": kind, "id": id})
        if self._context.hooks.implemented("rooms_saved"):
            self._pending.hooks.append(("rooms_saved", {"kind": kind, "id": id, "doc": doc}))

    def removed(self, kind: str, id: str) -> None:
        """Tells that something is gone; inside of `transaction`."""
        self.tell("rooms.removed", {"kind": kind, "id": id})
        if self._context.hooks.implemented("rooms_removed"):
            self._pending.hooks.append(("rooms_removed", {"kind": kind, "id": id}))

    def tell(self, name: str, data: Mapping[str, Any]) -> None:
        """Emits an event."""
        self._context.events.emit(name, data)
