"""A number that changes with every commit, by whichever process."""

from __future__ import annotations

import threading

from host.db.sqlite.connections import Connections, Session

__all__ = ["ChangeCounter"]


class ChangeCounter:
    """``PRAGMA data_version`` of a connection kept for this alone: it tells of commits by others,
    and to a connection that writes nothing everybody is another one."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._session: Session | None = None
        self._opened = 0
        self._lock = threading.Lock()

    def read(self) -> int:
        """0 while there is no file. Raises sqlite3's errors."""
        with self._lock:
            if self._session is None:
                if not self._connections.path.exists():
                    self._connections.refuse_when_shut()
                    return 0
                self._session = self._connections.open_reader()
                self._session.home = None
                self._opened += 1
            row = self._session.first("PRAGMA data_version", ())
            return (self._opened << 32) + (row[0] if row else 0)

    def close(self) -> None:
        with self._lock:
            session, self._session = self._session, None
            if session is not None:
                self._connections.discard(session)
