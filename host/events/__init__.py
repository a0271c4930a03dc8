"""Events: told after the commit, at least once, each subscriber at its own pace."""

from __future__ import annotations

from host.events.bus import EventBus
from host.events.names import MAX_DATA_BYTES, check_event_name, check_pattern
from host.events.recovery import Recovery
from host.events.subscribers import Subscriber

__all__ = [
    "MAX_DATA_BYTES",
    "EventBus",
    "Recovery",
    "Subscriber",
    "check_event_name",
    "check_pattern",
]
