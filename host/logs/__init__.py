"""The log of one host; the front is `HostLogs`."""

from host.logs.files import log_tail
from host.logs.hostlogs import (
    HostLogs,
    log_context,
    new_incident,
    plugin_id,
    request_id,
)
from host.logs.lines import HTTP, LEVELS, AccessRecord, redacted

__all__ = [
    "HTTP",
    "LEVELS",
    "AccessRecord",
    "HostLogs",
    "log_context",
    "log_tail",
    "new_incident",
    "plugin_id",
    "redacted",
    "request_id",
]
