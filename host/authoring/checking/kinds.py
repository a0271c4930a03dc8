"""What each hook gives, by its name. Apart from the probe, which needs the test kit and so pytest:
the command line does without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from plugin_sdk import (
    Command,
    Job,
    Migration,
    Page,
    Panel,
    Provider,
    RequestFilter,
    Route,
    Subscription,
    WebSocketRoute,
)

__all__ = ["CONTRIBUTIONS"]

CONTRIBUTIONS: Final[Mapping[str, tuple[type, ...]]] = {
    "routes": (Route, WebSocketRoute),
    "providers": (Provider,),
    "subscriptions": (Subscription,),
    "jobs": (Job,),
    "migrations": (Migration,),
    "commands": (Command,),
    "pages": (Page, Panel),
    "filters": (RequestFilter,),
}
