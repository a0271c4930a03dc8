"""The server: HTTP by waitress, WebSockets by one loop thread (`Hub`), on the same ports."""

from host.server.hub import Hub
from host.server.server import Server

__all__ = ["Hub", "Server"]
