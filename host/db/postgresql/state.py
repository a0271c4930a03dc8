"""The one row of a schema that tells all processes what was last committed there."""

from __future__ import annotations

from typing import Final

from host.db.postgresql.names import lock_key
from host.db.postgresql.wire import Call

__all__ = ["STATE", "StateCalls"]

STATE: Final = "_stagebox_state"
"""The transaction that last committed here, and the one that last changed the schema."""


class StateCalls:
    """The statements about it, of one schema: made once, sent with many others.

    ``lock`` is the schema's advisory lock, for a transaction; ``shape`` and ``changes`` read the
    row; ``touch`` and ``touch_shape`` write it before a commit; ``create`` makes schema and row.
    """

    __slots__ = ("changes", "create", "lock", "shape", "touch", "touch_shape")

    def __init__(self, schema: str, name: str) -> None:
        """``name``: what the database in that schema is called."""
        state = f'"{schema}".{STATE}'
        now = "pg_current_xact_id()::text::bigint"
        self.lock = Call(f"SELECT pg_advisory_xact_lock({lock_key(schema)})".encode())
        self.shape = Call(f"SELECT shape FROM {state}".encode())  # noqa: S608 (a checked name)
        self.changes = Call(f"SELECT changed FROM {state}".encode())  # noqa: S608
        self.touch = Call(f"UPDATE {state} SET changed = {now}".encode())  # noqa: S608
        self.touch_shape = Call(
            f"UPDATE {state} SET changed = {now}, shape = {now}".encode()  # noqa: S608
        )
        self.create = [
            Call(sql.encode(), once=True)
            for sql in (
                # What this backend remembers of schemas may be from before it waited for the
                # lock; it hears of changes when it locks a relation.
                "SELECT FROM pg_namespace LIMIT 0",
                f'CREATE SCHEMA IF NOT EXISTS "{schema}"',
                f"COMMENT ON SCHEMA \"{schema}\" IS '{name}'",
                f"CREATE TABLE IF NOT EXISTS {state} "
                "(changed bigint NOT NULL, shape bigint NOT NULL) WITH (fillfactor = 10)",
                f"INSERT INTO {state} (changed, shape) "  # noqa: S608
                f"SELECT {now}, {now} WHERE NOT EXISTS (SELECT FROM {state})",
            )
        ]
