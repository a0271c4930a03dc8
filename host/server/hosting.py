"""The server of a host."""

from __future__ import annotations

from collections.abc import Sequence

from host.app import Host
from host.server.server import Server

__all__ = ["server_of"]


def server_of(
    host: Host, *, listen: Sequence[str] | None = None, threads: int | None = None
) -> Server:
    """Not started yet. ``listen`` and ``threads`` are those of its configuration unless given."""
    web, config = host.web, host.config
    return Server(
        web.gateway,
        listen=config.listen if listen is None else listen,
        threads=config.threads if threads is None else threads,
        body_limit=web.body_limit,
        render_error=web.render_error,
        upgrades=web.upgrades,
        log=host.logs.logger("server"),
    )
