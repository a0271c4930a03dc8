"""Jobs: kept in the host's database, leased to one process at a time, resumed after a crash."""

from __future__ import annotations

from host.jobs.kinds import JobKind, check_kinds
from host.jobs.service import JobService

__all__ = ["JobKind", "JobService", "check_kinds"]
