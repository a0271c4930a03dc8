"""Requests to other servers on behalf of plugins: the front is `OutboundClient`."""

from host.outbound.client import OutboundClient

__all__ = ["OutboundClient"]
