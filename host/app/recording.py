"""What is written down of each request: a line of the log, and of what changed something a row of
the audit trail."""

from __future__ import annotations

from host.access import Audit
from host.logs import AccessRecord, HostLogs
from host.web.exchange import RequestRecord
from host.web.tools import Deed

__all__ = ["Recorder"]


class Recorder:
    def __init__(self, audit: Audit, logs: HostLogs) -> None:
        self._audit = audit
        self._logs = logs

    def deed(self, deed: Deed) -> None:
        """A row of the audit trail."""
        self._audit.note(
            deed.action,
            summary=deed.summary,
            principal=deed.principal,
            plugin_id=deed.plugin_id,
            peer=deed.peer,
        )

    def request(self, record: RequestRecord) -> None:
        """A line of the log."""
        self._logs.access(
            AccessRecord(
                record.method,
                record.path,
                record.status,
                record.duration,
                size=record.size,
                peer=record.peer,
                plugin=record.plugin_id,
                request=record.request_id,
            )
        )
