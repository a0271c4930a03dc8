"""``context.data`` in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, get_args

from plugin_sdk.data import MAX_VALUE_BYTES, ScopeKind
from plugin_sdk.errors import Invalid, TooLarge
from plugin_sdk.strict_json import dump_json
from plugin_sdk.testing.transactions import Transactions

__all__ = ["FakeData", "FakeScope"]

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")


class FakeScope:
    """The keys of one scope; see `plugin_sdk.DataScope`. Values are kept as JSON text, so what a
    test reads is what a real host would give back, and always a fresh copy."""

    def __init__(self, transactions: Transactions, kind: str, scope_id: str) -> None:
        self._transactions = transactions
        self._kind = kind
        self._id = scope_id

    def get(self, key: str, default: Any = None) -> Any:
        text = self._transactions.get((self._kind, self._id, _checked(key)))
        return default if text is None else json.loads(text)

    def set(self, key: str, value: Any) -> None:
        text = dump_json(value)
        if len(text.encode()) > MAX_VALUE_BYTES:
            raise TooLarge(f'The value of "{key[:80]}" is larger than {MAX_VALUE_BYTES} bytes.')
        self._transactions.put((self._kind, self._id, _checked(key)), text)

    def delete(self, key: str) -> bool:
        full = (self._kind, self._id, _checked(key))
        with self.transaction():
            found = self._transactions.get(full) is not None
            self._transactions.put(full, None)
        return found

    def keys(self, prefix: str = "") -> list[str]:
        rows = self._transactions.rows(self._kind, self._id)
        return [key for key in rows if key.startswith(prefix)]

    def items(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        rows = self._transactions.rows(self._kind, self._id)
        return ((key, json.loads(text)) for key, text in rows.items() if key.startswith(prefix))

    def clear(self) -> int:
        with self.transaction():
            keys = self.keys()
            for key in keys:
                self._transactions.put((self._kind, self._id, key), None)
        return len(keys)

    def transaction(self) -> AbstractContextManager[None]:
        return self._transactions.transaction()


class FakeData(FakeScope):
    """``context.data`` in tests: the local scope, and the way to the others."""

    def __init__(self, transactions: Transactions) -> None:
        super().__init__(transactions, "local", "")

    def scope(self, kind: ScopeKind, id: str | int = "") -> FakeScope:
        if kind not in get_args(ScopeKind):
            raise Invalid(f'"{kind}" is no scope: local, server or profile.')
        name = str(id)
        if kind == "local" and name:
            raise Invalid("The local scope has no id.")
        if kind != "local" and not _NAME.fullmatch(name):
            raise Invalid(
                f"The scope {kind} needs an id of 1 to 255 characters, no control characters."
            )
        return FakeScope(self._transactions, kind, name)


def _checked(key: str) -> str:
    if not _NAME.fullmatch(key):
        raise Invalid(f"{key[:80]!r} is no key: 1 to 255 characters, no control characters.")
    return key
