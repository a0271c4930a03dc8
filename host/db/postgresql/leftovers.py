"""Schemas that nobody needs any more: replaced, dropped, or of a restore that was cut short.

Of a restore that is under way nothing may be swept, be it on another machine: it holds a lock
until it has ended, and the server lets go of that when its process dies, however it dies.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from host.db.postgresql.faults import Refusal
from host.db.postgresql.link import Link
from host.db.postgresql.names import DRAFT, SHARED, TRASH, lock_key
from host.db.postgresql.values import arguments
from host.db.postgresql.wire import Call

__all__ = ["claim", "release", "sweep"]

_LOG: Final = logging.getLogger("stagebox.db")
_KEY: Final = lock_key(SHARED + " drafts")
_CLAIM: Final = Call(f"SELECT pg_try_advisory_lock({_KEY})".encode(), once=True)
_RELEASE: Final = Call(f"SELECT pg_advisory_unlock({_KEY})".encode(), once=True)
_FIND: Final = (
    b"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1) "
    b"AND nspname ~ '^stagebox.[0-9a-f]+$'"  # made by us: nothing in it has to be quoted
)
_AT_ONCE: Final = Call(b"SET LOCAL lock_timeout = '1s'", once=True)


def claim(link: Link) -> bool:
    """Keeps everybody else from making drafts, and from sweeping, until this connection ends;
    False when somebody does so already. Raises FAULTS."""
    row = link.first(link.alone(SHARED, [_CLAIM])[0])
    return row is not None and bool(row[0])


def release(link: Link) -> None:
    """Ends a claim now: with its connection it would end some time later. Raises FAULTS."""
    link.alone(SHARED, [_RELEASE])


def sweep(link: Link, prefixes: Sequence[str] = (TRASH, DRAFT)) -> None:
    """Removes what is left; what is still read from stays for the next time, and all of it while
    another connection has a claim. Raises ConnectionLost."""
    for prefix in prefixes:
        found = link.alone(SHARED, [Call(_FIND, arguments([prefix]), once=True)])[0]
        for (name,) in link.tuples(found):
            _drop(link, str(name))


def _drop(link: Link, schema: str) -> None:
    drop = f"""DO $$ BEGIN IF pg_try_advisory_xact_lock_shared({_KEY}) THEN
        DROP SCHEMA IF EXISTS "{schema}" CASCADE; END IF; END $$"""
    try:
        link.whole(SHARED, [_AT_ONCE, Call(drop.encode(), once=True)])
    except Refusal as error:
        _LOG.info("What is left of a replaced database stays for now: %s", error)
