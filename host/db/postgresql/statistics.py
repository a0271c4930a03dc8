"""Statistics after a bulk fill. Without them the planner takes a new table for a small one, and
sorts all of it for each page; the server's own round (autovacuum) comes by once in a minute."""

from __future__ import annotations

import logging
from typing import Final

from host.db.postgresql.server import Server
from plugin_sdk import StageboxError

__all__ = ["Statistics"]

_LOG: Final = logging.getLogger("stagebox.db")
_LEAST: Final = 2000
_QUOTE: Final = '"'
_GROWN: Final = b"""
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind = 'r'
    AND pg_relation_size(c.oid) / current_setting('block_size')::bigint > 1.2 * c.relpages + 4"""


class Statistics:
    """Of the tables of one schema; ``name`` is the database's."""

    def __init__(self, server: Server, schema: str, name: str) -> None:
        self._server = server
        self._schema = schema
        self._name = name
        self._rows = 0
        self._since = 0

    def filled(self, rows: int) -> None:
        """So many rows were committed in bulk: has the server look at tables that have grown, if
        it is so many since the last look. That comes at 2,000 rows, and whenever they are twice
        as many as then: a fill pays for it a few times, whatever its size."""
        self._rows += rows
        self._since += rows
        if self._since >= max(_LEAST, self._rows // 2):
            self.refresh()

    def refresh(self) -> None:
        """Never raises: what fails here is left to the server's own round."""
        self._since = 0
        try:
            grown = [str(row[0]) for row in self._server.ask(_GROWN, self._schema)]
            if grown:
                names = [f'"{self._schema}"."{each.replace(_QUOTE, 2 * _QUOTE)}"' for each in grown]
                statement = f"ANALYZE {', '.join(names)}"
                self._server.command(["SET LOCAL lock_timeout = '1s'", statement])
        except StageboxError as error:  # busy, or dropped in this moment
            _LOG.info("Statistics of the database of %s were not taken: %s", self._name, error)
