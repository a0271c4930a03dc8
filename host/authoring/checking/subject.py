"""What is checked: the files of one plugin, read once, as far as they can be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from host.authoring.checking.findings import RULES, Finding
from host.authoring.sources import IGNORED, folders_with, id_of_file, only_one
from host.plugins.files import files_below
from host.plugins.manifests import MANIFEST_NAME
from plugin_sdk import Invalid, Manifest, NotFound

__all__ = ["Module", "Subject", "find_subject"]

_MAX_FILES: Final = 2000
_MAX_BYTES: Final = 2 * 1024 * 1024
_TEXTS: Final = frozenset({".html", ".js", ".mjs", ".css", ".jinja", ".j2", ".txt", ".md"})


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file of the plugin; ``file`` is its name relative to what was checked."""

    path: Path
    file: str
    tree: ast.Module


@dataclass(slots=True)
class Subject:
    """``root`` is what file names are relative to; ``folder`` holds plugin.json (None for a plugin
    of one file), ``entry`` is the file with the attribute ``plugin``, ``project`` the folder of
    pyproject.toml and tests, where there is one."""

    root: Path
    entry: Path
    folder: Path | None = None
    project: Path | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    """plugin.json as far as it could be read."""
    manifest: Manifest | None = None
    modules: list[Module] = field(default_factory=list)
    attribute: str = "plugin"

    @property
    def plugin_id(self) -> str:
        if self.folder is None:
            return id_of_file(self.entry)
        found = self.document.get("id")
        return found if isinstance(found, str) else ""

    def name_of(self, path: Path) -> str:
        try:
            return path.resolve().relative_to(self.root).as_posix()
        except ValueError:
            return path.name

    def finding(
        self, rule: str, message: str, path: Path | None = None, line: int = 0, column: int = 0
    ) -> Finding:
        """A rule that is not in RULES is a KeyError: a mistake of the check itself."""
        file = "" if path is None else self.name_of(path)
        return Finding(RULES[rule], message, file, line, column)

    def read_code(self) -> Iterator[Finding]:
        """Parses the Python files; those that cannot be read are findings."""
        paths = [self.entry] if self.folder is None else list(_python_files(self.folder))
        for path in paths:
            try:
                if path.stat().st_size > _MAX_BYTES:
                    raise ValueError(f"it has more than {_MAX_BYTES} bytes")
                tree = ast.parse(path.read_bytes(), str(path))
            except SyntaxError as error:
                text = f"{error.msg}."
                yield self.finding("code-syntax", text, path, error.lineno or 1, error.offset or 0)
            except (ValueError, RecursionError, MemoryError, OSError) as error:
                yield self.finding("code-syntax", f"cannot be read: {error}.", path, 1)
            else:
                self.modules.append(Module(path, self.name_of(path), tree))

    def texts(self) -> str:
        """Everything that the folder holds beside Python and plugin.json, to look for a word."""
        if self.folder is None:
            return ""
        found = [
            path.read_text("utf-8", "replace")
            for path in _files(self.folder)
            if path.suffix in _TEXTS and path.stat().st_size <= _MAX_BYTES
        ]
        return "\n".join(found)


def find_subject(path: Path) -> Subject:
    """More lenient than `host.authoring.find_source`: what is missing is for the rules to tell.

    Raises NotFound, or Invalid for what is no plugin at all."""
    if not path.exists():
        raise NotFound(f'"{path}" does not exist.')
    path = path.resolve()
    if path.is_file():
        if path.suffix != ".py":
            raise Invalid(f'"{path.name}" is no Python file, and no plugin folder.')
        return Subject(root=path.parent, entry=path)
    folder = _plugin_folder(path)
    inside = folder != path
    project = path if inside else None
    if not inside and any((each / "pyproject.toml").is_file() for each in (path, path.parent)):
        project = path if (path / "pyproject.toml").is_file() else path.parent
    root = project or path
    return Subject(root=root, entry=folder / "__init__.py", folder=folder, project=project)


def _plugin_folder(path: Path) -> Path:
    if (path / MANIFEST_NAME).is_file() or (path / "__init__.py").is_file():
        return path
    for name in (MANIFEST_NAME, "__init__.py"):
        found = [each for each in folders_with(path, name) if each.name != "tests"]
        if found:
            return only_one(path, found)
    raise Invalid(
        f'"{path.name}" holds no {MANIFEST_NAME} and no Python package. Begin a plugin with '
        "`stagebox plugin new ID`, or name a Python file."
    )


def _files(folder: Path) -> Iterator[Path]:
    plain = (
        path
        for path in files_below(folder, IGNORED)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not path.is_symlink()
        and path.is_file()
    )
    return islice(plain, _MAX_FILES)


def _python_files(folder: Path) -> Iterator[Path]:
    for path in _files(folder):
        inside = path.relative_to(folder).parts
        test = path.name.startswith(("test_", "conftest")) or "tests" in inside
        if path.suffix == ".py" and not test:
            yield path
