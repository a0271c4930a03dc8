"""The host's services for whoever runs it (plugin_sdk.operations)."""

from __future__ import annotations

from collections.abc import Sequence

from host.jobs import JobService
from plugin_sdk import JobInfo, JobState
from plugin_sdk.operations import JobManagement

__all__ = ["JobsManaged"]


class JobsManaged(JobManagement):
    """``host.jobs``."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs

    def entries(
        self,
        *,
        plugin_id: str | None = None,
        state: JobState | None = None,
        limit: int = 100,
    ) -> Sequence[JobInfo]:
        return self._jobs.list_all(plugin_id=plugin_id, state=state, limit=limit)

    def entry(self, job_id: str) -> JobInfo:
        return self._jobs.get(job_id)

    def cancel(self, job_id: str) -> bool:
        return self._jobs.cancel(job_id)
