"""The server: HTTP by waitress, WebSockets by one loop thread (`Hub`), on the same ports."""

from host.server.hosting import server_of
from host.server.hub import Hub
from host.server.server import Server

__all__ = ["Hub", "Server", "server_of"]
