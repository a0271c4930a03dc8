"""A logger whose records a test can read."""

from __future__ import annotations

import logging

__all__ = ["FakeLog"]


class FakeLog(logging.Logger):
    """``context.log`` in tests: a real logger that keeps its records::

        assert "3 links are dead" in context.log.messages

    It belongs to one context alone and passes everything on to the root logger, so pytest's
    ``caplog`` and the report of a failed test show it too.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, logging.DEBUG)
        self.parent: logging.Logger | None = logging.getLogger()
        self.records: list[logging.LogRecord] = []

    def handle(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        super().handle(record)

    @property
    def messages(self) -> list[str]:
        """The text of each record, arguments filled in."""
        return [record.getMessage() for record in self.records]
