"""What all responders of one web layer share."""

from __future__ import annotations

from host.web.answers import Answers
from host.web.error_bodies import Errors
from host.web.tokens import Doorkeeper
from plugin_sdk import Logger

__all__ = ["Tools"]


class Tools:
    """Identity, errors, answers and the log."""

    __slots__ = ("answers", "doorkeeper", "errors", "log")

    def __init__(self, doorkeeper: Doorkeeper, log: Logger) -> None:
        self.doorkeeper = doorkeeper
        self.errors = Errors(log)
        self.answers = Answers(log)
        self.log = log
