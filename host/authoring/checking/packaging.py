"""Rules about the project around the plugin: pyproject.toml, tests, README."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from host.authoring.checking.findings import Finding
from host.authoring.checking.subject import Subject

__all__ = ["check_project"]

_GROUP: Final = "stagebox.plugins"


def check_project(subject: Subject) -> Iterator[Finding]:
    """Notes on the way which attribute the entry point names."""
    if subject.project is None or subject.folder is None:
        return
    project = subject.project
    if not any(project.glob("tests/**/test_*.py")) and not any(project.glob("test_*.py")):
        text = "There are no tests."
        yield subject.finding("tests-missing", text, project / "tests")
    if not any(project.glob("README*")):
        yield subject.finding("readme-missing", "There is no README.", project / "README.md")
    path = project / "pyproject.toml"
    if path.is_file():
        yield from _pyproject(subject, subject.folder, path)


def _pyproject(subject: Subject, folder: Path, path: Path) -> Iterator[Finding]:
    text = path.read_text("utf-8", "replace")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        digits = said.partition("line ")[2].partition(",")[0]
        line = int(digits) if digits.isdigit() else len(text.splitlines()) or 1
        yield subject.finding("packaging-toml", f"{said}.", path, line)
        return
    lines = text.splitlines()
    project = _table(document, "project")
    yield from _entry_point(subject, folder, path, lines, project)
    yield from _packed(subject, folder, path, lines, document)
    version = project.get("version")
    own = subject.document.get("version")
    if isinstance(version, str) and isinstance(own, str) and version != own:
        said = f"pyproject.toml says {version}, plugin.json {own}."
        yield subject.finding("version-differs", said, path, _line(lines, "version"))


def _entry_point(
    subject: Subject, folder: Path, path: Path, lines: list[str], project: Mapping[str, Any]
) -> Iterator[Finding]:
    points = _table(project, "entry-points", _GROUP)
    if not points:
        text = f'There is no entry point of the group "{_GROUP}": installed, nobody would find it.'
        yield subject.finding("entry-point-missing", text, path, _line(lines, "[project]"))
        return
    plugin_id = subject.plugin_id
    if plugin_id and plugin_id not in points:
        name = next(iter(points))
        text = f'The entry point is called "{name}", the plugin "{plugin_id}".'
        yield subject.finding("entry-point-name", text, path, _line(lines, name, _GROUP))
        return
    target = str(points.get(plugin_id) or next(iter(points.values())))
    module, _, attribute = target.partition(":")
    expected = folder.name
    if not attribute or module.split(".")[0] != expected:
        text = f'"{target}" is not in the package {expected}.'
        yield subject.finding("entry-point-target", text, path, _line(lines, target, _GROUP))
    elif module == expected:
        subject.attribute = attribute


def _packed(
    subject: Subject, folder: Path, path: Path, lines: list[str], document: Mapping[str, Any]
) -> Iterator[Finding]:
    """As far as it can be seen without building: `stagebox plugin pack` builds and looks."""
    backend = str(_table(document, "build-system").get("build-backend", "setuptools"))
    relative = folder.relative_to(path.parent).as_posix() if folder != path.parent else "."
    if backend.startswith("hatchling"):
        wheel = _table(document, "tool", "hatch", "build", "targets", "wheel")
        packages = wheel.get("packages")
        if isinstance(packages, list) and relative not in [str(each) for each in packages]:
            text = f'The wheel takes {", ".join(map(str, packages))}, and not "{relative}".'
            yield subject.finding("manifest-not-packed", text, path, _line(lines, "packages"))
    elif backend.startswith("setuptools"):
        tool = _table(document, "tool", "setuptools")
        takes_all = tool.get("include-package-data", True) is not False
        manifest_in = (path.parent / "MANIFEST.in").is_file()
        if not _table(tool, "package-data") and not (takes_all and manifest_in):
            text = "setuptools takes Python files only, unless told otherwise."
            where = _line(lines, "[build-system]")
            yield subject.finding("manifest-not-packed", text, path, where)


def _table(document: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """A table within tables, empty when there is none."""
    found: Any = document
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _line(lines: list[str], word: str, after: str = "") -> int:
    """The first line with a word, behind one with another; 1 when there is none."""
    start = next((index for index, text in enumerate(lines) if after in text), 0)
    for index, text in enumerate(lines[start:], start + 1):
        if word in text and (not after or index > start + 1 or word != after):
            return index
    return 1
