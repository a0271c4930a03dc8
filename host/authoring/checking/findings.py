"""What a check found, and the rules by which it looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["RULES", "Finding", "Report", "Rule", "Severity"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """``hint`` says what to do, in one or two sentences. An error is what the host refuses, or
    what cannot work; a warning is what people will stumble over."""

    name: str
    severity: Severity
    hint: str


def _rules(severity: Severity, hints: Mapping[str, str]) -> dict[str, Rule]:
    return {name: Rule(name, severity, hint) for name, hint in hints.items()}


_ERRORS: Final = {
    # The manifest
    "manifest-missing": "Write a plugin.json beside __init__.py; `stagebox plugin new ID` begins "
    "with one.",
    "manifest-json": "Mend the JSON: double quotes, no comma after the last member, no comments.",
    "manifest-invalid": "See the keys of plugin.json in the guide for plugins.",
    "manifest-missing-key": "A manifest needs id, name, version and sdk.",
    "manifest-unknown-key": "Correct the spelling, or remove the key.",
    "manifest-id": 'Write lower-case letters, digits, "_", "-" and ".", with a letter first, best '
    "with a word of yours in front: ada.notes.",
    "manifest-id-reserved": "Choose another id, best with a word of yours in front: ada.notes.",
    "manifest-version": "Write three numbers, as 1.0.0, and a, b or rc with a number if it is a "
    "preview: 1.0.0rc1.",
    "manifest-sdk": 'Write a PEP 440 specifier set that this SDK lies in: ">=1,<2".',
    "permission-foreign-name": "The name of a permission begins with the id of its plugin and a "
    "colon.",
    "capability-unknown": "The capabilities are db, blobs, http, http.private, realtime, "
    "websocket, commands and paths.",
    "settings-schema": "``settings`` is a JSON Schema (2020-12) of an object.",
    "settings-default-unfit": "Make the default a value that its own schema allows.",
    "prefix-taken": "Choose another, or leave it out: below /api/plugins/<id> you are alone.",
    "page-missing": "Put the file into the plugin's folder, or correct its path, which is relative "
    "to that folder.",
    # Code
    "code-syntax": "Python cannot read this file; look at the line and the one before it.",
    "code-import-error": "Importing the plugin must succeed everywhere: add the library to the "
    "dependencies, or mend the line.",
    "code-no-plugin": "End __init__.py with `plugin = YourClass`.",
    "code-instance-not-class": "Write `plugin = YourClass`, without parentheses: the host makes "
    "the instance.",
    "code-imports-host": "Import plugin_sdk only: the host's own modules change without notice.",
    "sdk-name": "Correct the name; the SDK's names are those of plugin_sdk.__all__.",
    "decorator-argument": "Correct its name; the docstring of the decorator lists what it takes.",
    "code-own-init-without-super": "Call super().__init__(context) first, or do the work in "
    "enable.",
    "code-async": "Handlers and hooks are plain functions: write `def`, and make slow work a job.",
    "code-crash": "Mend what the trace points at; the host would refuse to enable the plugin.",
    "hook-signature": "Take self and arguments with the names of the specification, or fewer; "
    "the hooks reference shows them.",
    "capability-missing": "Add it to capabilities in plugin.json.",
    "permission-undeclared": "Declare it under permissions in plugin.json, or correct the name.",
    "setting-undeclared": "Declare it under settings.properties in plugin.json, or correct the "
    "name.",
    "event-foreign-name": "Name your events `<your plugin's id>.<what happened>`.",
    "event-pattern": 'Write an event\'s name ("rooms.deleted"), or its beginning and one "*" '
    '("rooms.*").',
    "job-unknown": "Declare it with @job, or correct the name.",
    "job-twice": "Give each job a name of its own.",
    "job-invalid": "See plugin_sdk.Job for the figures that a job may have.",
    "migration-twice": "Give each migration a name of its own, and never rename one that ran.",
    # Contributions
    "route-path": 'Begin with "/", end without one, and write fields as {name}.',
    "route-method": "The methods are GET, POST, PUT, PATCH and DELETE.",
    "route-twice": "Remove one of the two, or give it another path or method.",
    "route-handler-arguments": "A handler takes self and the request, a WebSocket's the "
    "connection, a job's the run, an event's the event.",
    "route-schema-invalid": "Write a JSON Schema (2020-12) of plain dictionaries and lists.",
    "provider-undeclared": "Declare it under providers in plugin.json.",
    "provider-not-returned": "Return it from providers(), or remove it from plugin.json.",
    "contribution-kind": "Return a list of what the hook asks for; the hooks reference shows it.",
    "filter-foreign": "Leave it out: a filter that fails refuses what it covers, so the host takes "
    "filters of bundled plugins only.",
    # The package
    "packaging-toml": "Mend the TOML of pyproject.toml.",
    "entry-point-missing": 'Add [project.entry-points."stagebox.plugins"] with '
    '"<id>" = "<module>:plugin" to pyproject.toml.',
    "entry-point-name": "The name of the entry point is the id in plugin.json.",
    "entry-point-target": 'Name the package and its attribute: "<module>:plugin".',
    "manifest-not-packed": "Name the package that holds plugin.json in the build's settings, and "
    "let it take files that are not Python.",
    "version-differs": "Keep the version in plugin.json alone, and let pyproject.toml read it "
    "(dynamic), as `stagebox plugin new` does.",
}

_WARNINGS: Final = {
    "manifest-description": "Say in one sentence what the plugin does: people choose by it.",
    "manifest-license": 'Add a licence, by its SPDX name: "license": "MIT".',
    "settings-secret-in-clear": 'Add "writeOnly": true, so that the value is never shown again.',
    "setting-unused": "Use it, or remove it: people will wonder why it does nothing.",
    "permission-unused": "Ask for it in a route (permission=...), or remove it.",
    "capability-unused": "Remove it: an administrator must confirm what a plugin declares.",
    "code-work-at-import": "Do it in enable: importing a module must only define things.",
    "hook-misspelled": "The host does not know this method; correct its name, or mark it as "
    "private with an underscore.",
    "route-undocumented": "Give the handler a docstring, or the route a summary=..., or "
    "documented=False.",
    "print-used": "Use self.context.log: it knows the plugin, and people can read it.",
    "exception-swallowed": "Catch what you expect, and log or raise the rest.",
    "sleep-in-handler": "A waiting handler keeps a thread of the host: make it a job, or answer "
    "at once.",
    "sql-from-f-string": "Write :name in the SQL and give the values as a dictionary.",
    "absolute-path": "Use context.paths, context.blobs or a setting: other machines have other "
    "folders.",
    "tests-missing": "Add tests/test_*.py with a PluginSuite; see the guide for testing.",
    "readme-missing": "Add a README.md that says what the plugin does and how to use it.",
}

RULES: Final[Mapping[str, Rule]] = {**_rules("error", _ERRORS), **_rules("warning", _WARNINGS)}
"""All rules by name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``file`` is relative to what was checked; ``line`` counts from 1, 0 is the whole file."""

    rule: Rule
    message: str
    file: str = ""
    line: int = 0
    column: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule.name,
            "severity": self.rule.severity,
            "message": self.message,
            "file": self.file or None,
            "line": self.line or None,
            "column": self.column or None,
            "hint": self.rule.hint,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about one plugin: errors first, then by file and line."""

    plugin_id: str
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, plugin_id: str, findings: Iterable[Finding]) -> Report:
        """Sorted, and each place named once for a rule."""
        seen: dict[tuple[str, str, int, str], Finding] = {}
        for each in findings:
            same = each.message if not each.line else ""
            seen.setdefault((each.rule.name, each.file, each.line, same), each)
        ranked = sorted(
            seen.values(),
            key=lambda each: (each.rule.severity, each.file, each.line, each.rule.name),
        )
        return cls(plugin_id, tuple(ranked))

    @property
    def errors(self) -> int:
        return sum(each.rule.severity == "error" for each in self.findings)

    @property
    def warnings(self) -> int:
        return len(self.findings) - self.errors

    def as_json(self) -> dict[str, Any]:
        return {
            "plugin": self.plugin_id or None,
            "errors": self.errors,
            "warnings": self.warnings,
            "findings": [each.as_json() for each in self.findings],
        }
