"""Whether this installation ever had an administrator of its own."""

from __future__ import annotations

import time
from typing import Final

from host.db import HostDatabase
from plugin_sdk import Database, Migration

__all__ = ["Governance"]

_TABLE: Final = "_stagebox_access"
_KEY: Final = "governed"
_NO_HOLDS_SECONDS: Final = 0.25


def _create(db: Database) -> None:
    db.table(_TABLE).create({"key": "text", "value": "text"}, pk="key")


_MIGRATIONS: Final = (Migration("access_001_facts", _create),)


class Governance:
    """Remembers for good that some auth provider knew an administrator.

    From then on a caller from this machine is nobody in particular, also while that provider is
    broken or switched off: a plugin that fails must not open the host. The command line, which
    whoever owns the data can use, is the way back in.
    """

    def __init__(self, database: HostDatabase) -> None:
        self._db = database
        self._known = False
        self._opened = False
        self._look_again = 0.0

    def known(self) -> bool:
        """Whether it was ever noted."""
        # Another process may have noted it: only yes is final, and no is looked up now and then.
        if not self._known and time.monotonic() >= self._look_again:
            self._look_again = time.monotonic() + _NO_HOLDS_SECONDS
            if not self._opened:
                self._db.migrate(_MIGRATIONS)
                self._opened = True
            self._known = self._db.table(_TABLE).get(_KEY) is not None
        return self._known

    def note(self) -> None:
        """An auth provider governs."""
        if not self.known():
            self._db.table(_TABLE).upsert({"key": _KEY, "value": "yes"})
            self._known = True
