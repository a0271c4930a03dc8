"""The composition: the only module that knows all parts of a host."""

from host.app.host import Host, open_engine

__all__ = ["Host", "open_engine"]
