"""Write transactions of the rooms, and whom they tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from plugin_sdk import Context

__all__ = ["Writing"]


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
    def transaction(self) -> Iterator[None]:
        """All or nothing; nests by savepoints, whose hooks are forgotten when they are undone."""
        hooks = self._pending.hooks
        mark = len(hooks)
        with self.gathered():
            try:
                with self._context.db.transaction():
                    yield
            except BaseException:
                del hooks[mark:]
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
