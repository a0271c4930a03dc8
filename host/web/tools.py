"""What all responders of one web layer share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from host.web.answers import Answers
from host.web.error_bodies import Errors
from host.web.tokens import Doorkeeper
from plugin_sdk import Logger, Principal

__all__ = ["Deed", "OnDeed", "Tools"]


class Deed(NamedTuple):
    """A success that belongs into the audit trail."""

    action: str
    summary: str
    principal: Principal
    plugin_id: str
    peer: str


OnDeed = Callable[[Deed], object]


class Tools:
    """Identity, errors, answers, the log, and who keeps the audit trail."""

    __slots__ = ("answers", "doorkeeper", "errors", "log", "on_deed")

    def __init__(self, doorkeeper: Doorkeeper, log: Logger, on_deed: OnDeed | None = None) -> None:
        self.doorkeeper = doorkeeper
        self.errors = Errors(log)
        self.answers = Answers(log)
        self.log = log
        self.on_deed = on_deed
