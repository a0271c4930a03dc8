"""Realtime messages: to the clients of this process, and through signals to those of all others."""

from host.realtime.broadcasting import Broadcasting
from host.realtime.fanout import FanOut

__all__ = ["Broadcasting", "FanOut"]
