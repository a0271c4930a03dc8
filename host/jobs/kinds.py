"""Kinds of jobs: what plugins declared, as one immutable table."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

from plugin_sdk import Invalid, Job, JobRun

__all__ = ["JobKind", "KindTable", "check_kinds", "kind_name"]


def kind_name(plugin_id: str, name: str) -> str:
    """The kind of a job in one word; plugin ids have no slash."""
    return f"{plugin_id}/{name}"


@dataclass(frozen=True)
class JobKind:
    """``call`` runs the job; it is fenced by the layer above and may still raise."""

    plugin_id: str
    job: Job
    call: Callable[[JobRun], Any]

    @property
    def kind(self) -> str:
        return kind_name(self.plugin_id, self.job.name)

    @property
    def every_ms(self) -> int | None:
        return None if self.job.every is None else max(1, round(self.job.every * 1000))

    @property
    def periodic(self) -> bool:
        return self.job.every is not None or self.job.at_start


class KindTable:
    """All kinds at one time. ``refused`` is told what is wrong with a kind that is left out; see
    `check_kinds`."""

    def __init__(
        self,
        kinds: Sequence[JobKind] = (),
        refused: Callable[[Invalid], object] | None = None,
    ) -> None:
        self._kinds: dict[str, JobKind] = {}
        for kind in kinds:
            try:
                _check(kind, self._kinds)
            except Invalid as error:
                if refused is None:
                    raise
                refused(error)
            else:
                self._kinds[kind.kind] = kind
        self.periodic = tuple(kind for kind in self._kinds.values() if kind.periodic)

    def get(self, kind: str) -> JobKind | None:
        return self._kinds.get(kind)

    def __contains__(self, kind: str) -> bool:
        return kind in self._kinds


def check_kinds(kinds: Sequence[JobKind]) -> None:
    """Raises Invalid for two jobs of one plugin with one name, and for impossible figures."""
    seen: dict[str, JobKind] = {}
    for kind in kinds:
        _check(kind, seen)
        seen[kind.kind] = kind


def _check(kind: JobKind, others: Container[str]) -> None:
    job = kind.job
    what = f'The job "{job.name}" of plugin {kind.plugin_id}'
    if not job.name:
        raise Invalid(f"Plugin {kind.plugin_id} declares a job without a name.")
    if kind.kind in others:
        raise Invalid(f'Plugin {kind.plugin_id} declares the job "{job.name}" twice.')
    if job.concurrency < 1 or job.attempts < 1:
        raise Invalid(f"{what} needs a concurrency and attempts of at least 1.")
    if job.every is not None and not 0 < job.every < float("inf"):
        raise Invalid(f"{what} must be repeated after a number of seconds above 0.")
