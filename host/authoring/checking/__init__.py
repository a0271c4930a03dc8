"""``stagebox plugin check``: what the host would refuse, and what people would stumble over.

Rules are grouped by where they look: `manifest`, `code` and `usage` and `habits` (reading the
code), `contributions` (running it, in a process of its own), `packaging`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from host.authoring.checking.code import check_code
from host.authoring.checking.contributions import check_contributions
from host.authoring.checking.findings import RULES, Finding, Report, Rule
from host.authoring.checking.habits import check_habits
from host.authoring.checking.manifest import check_manifest_file
from host.authoring.checking.packaging import check_project
from host.authoring.checking.subject import Subject, find_subject
from host.authoring.checking.usage import check_usage

__all__ = ["RULES", "Finding", "Report", "Rule", "check_plugin"]

_IMPORTING = frozenset({"sdk-name", "decorator-argument"})
"""What fails at import, too, and is told better by reading."""


def check_plugin(path: Path, *, run: bool = True, timeout: float = 30.0) -> Report:
    """Everything that is wrong with the plugin at ``path``: a project, a plugin folder, or one
    Python file. It is run, for at most ``timeout`` seconds, unless ``run`` is False; then the rules
    about what it contributes find nothing.

    Raises NotFound, or Invalid for what is no plugin at all; a plugin's own faults are findings.
    """
    subject = find_subject(path)
    found = list(_look(subject, run, timeout))
    return Report.of(subject.plugin_id, found)


def _look(subject: Subject, run: bool, timeout: float) -> Iterator[Finding]:
    yield from check_manifest_file(subject)
    yield from check_project(subject)
    if not subject.entry.is_file():
        text = "The folder has no __init__.py."
        yield subject.finding("code-no-plugin", text, subject.entry, 1)
        return
    unreadable = list(subject.read_code())
    yield from unreadable
    read = list(check_code(subject))
    yield from read
    yield from check_usage(subject)
    yield from check_habits(subject)
    if run and not unreadable:
        told = {(each.file, each.line) for each in read if each.rule.name in _IMPORTING}
        for each in check_contributions(subject, timeout=timeout):
            if each.rule.name != "code-import-error" or (each.file, each.line) not in told:
                yield each
