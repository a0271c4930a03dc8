"""The composition: the only module that knows all parts of a host."""

from host.app.engines import open_engine
from host.app.host import Host

__all__ = ["Host", "open_engine"]
