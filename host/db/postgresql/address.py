"""Where the server is: a URL, and what of it may be shown."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

from host.errors import ConfigurationError

__all__ = ["Address", "parse_address"]

_PRIMARY: Final = 140000  # from this libpq on it knows the word
_DEFAULTS: Final = {
    "application_name": "stagebox",
    # For each address of the host: a name seldom has more than two, and a request shall be
    # answered within five seconds. Two seconds are the least that libpq knows.
    "connect_timeout": "2",
    # A server that vanished (pulled cable, suspended machine) is noticed after some seconds, not
    # hours: https://www.postgresql.org/docs/current/libpq-connect.html
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    # Of several hosts the one that takes writes; none of them is said before anybody writes.
    "target_session_attrs": "primary" if pq.version() >= _PRIMARY else "read-write",
}


@dataclass(frozen=True, slots=True)
class Address:
    """``options`` are libpq's, with a password perhaps; ``shown`` names database and host."""

    options: dict[str, str] = field(repr=False)
    shown: str


def parse_address(url: str) -> Address:
    """A ``postgresql://`` URL as libpq reads it; what it leaves out comes from libpq's variables
    (PGPASSWORD ...) and files (~/.pgpass). Raises ConfigurationError, which repeats nothing of
    the URL: it may hold a password."""
    if _has_bare_password(url):
        raise _unreadable()
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(url).items() if value}
    except ProgrammingError:
        raise _unreadable() from None
    return Address({**_DEFAULTS, **given, "client_encoding": "UTF8"}, _shown(given))


def _has_bare_password(url: str) -> bool:
    """Whether a password has an @ or a / as it is: libpq would take what follows for the host or
    the name, and those are shown."""
    authority, _, path = url.partition("://")[2].partition("/")
    return authority.count("@") > 1 or "@" in path.partition("?")[0]


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "The database URL cannot be read: write postgresql://user:password@host:port/name, "
        "with special characters percent-encoded.",
        key="database",
    )


def _shown(given: dict[str, str]) -> str:
    user = given.get("user") or os.environ.get("PGUSER", "")
    name = given.get("dbname") or os.environ.get("PGDATABASE") or user or "of the user's name"
    host = given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "localhost"
    hosts = host.split(",")
    ports = (given.get("port") or os.environ.get("PGPORT", "")).split(",")
    if len(ports) == 1:  # it is that of all of them
        ports *= len(hosts)
    pairs = zip_longest(hosts, ports[: len(hosts)], fillvalue="")
    return f"{name} at {','.join(f'{host}:{port}' if port else host for host, port in pairs)}"
