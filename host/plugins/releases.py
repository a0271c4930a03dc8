"""What another version of Stagebox brings, as far as plugins are concerned; nothing of it runs."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from host.plugins.discovery import BUNDLED_DISTRIBUTION
from host.plugins.environment import applying
from host.plugins.manifests import MANIFEST_NAME
from host.plugins.packages import DAMAGED, member_text, wheel_metadata
from plugin_sdk import Invalid, NotFound, StageboxError, parse_json

__all__ = ["Release", "release_in", "release_of"]

_SDK: Final = "plugin_sdk"
_BUILTIN: Final = "builtin_plugins"


@dataclass(frozen=True, slots=True)
class Release:
    """A version of the host. ``known_by`` says how its SDK version is known: read in its package,
    or by the rule that host and SDK, which are one distribution, carry one number.

    Of a package only: ``names`` that each module of the SDK has (``plugin_sdk.http``), the
    ``hooks`` that it asks, its ``plugins`` with their versions, and the Python packages that it
    ``requires`` here, without those of its extras."""

    version: str
    sdk: str
    known_by: Literal["package", "rule"] = "rule"
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hooks: frozenset[str] = frozenset()
    plugins: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[Requirement, ...] = ()


def release_of(version: str) -> Release:
    """By the rule; raises Invalid for what is no version."""
    try:
        return Release(version, str(Version(version)))
    except InvalidVersion:
        raise Invalid(f'"{version}" is no version, as 1.2.0 is one.') from None


def release_in(wheel: Path) -> Release:
    """Reads a wheel of Stagebox. Raises NotFound without the file, Invalid for another one."""
    if not wheel.is_file():
        raise NotFound(f'"{wheel}" does not exist.')
    try:
        with zipfile.ZipFile(wheel) as archive:
            return _read(archive, wheel.name)
    except (*DAMAGED, SyntaxError, ValueError) as error:
        raise Invalid(f'"{wheel.name}" cannot be read as a wheel: {error}') from None


def _read(archive: zipfile.ZipFile, name: str) -> Release:
    metadata = next(
        (each for each in archive.namelist() if each.endswith(".dist-info/METADATA")), None
    )
    headers = wheel_metadata(member_text(archive, metadata) if metadata else "")
    if canonicalize_name(str(headers.get("Name", ""))) != BUNDLED_DISTRIBUTION:
        raise Invalid(f'"{name}" is no wheel of Stagebox.')
    names: dict[str, frozenset[str]] = {}
    constants: dict[str, Any] = {}
    for path, tree in _sdk_modules(archive):
        parts = PurePosixPath(path).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        names[module] = frozenset(_bound(tree))
        if module in (f"{_SDK}.manifest", f"{_SDK}.hookspecs"):
            constants.update(_literals(tree))
    for module in list(names):
        package, _, last = module.rpartition(".")
        if package:
            names[package] = names.get(package, frozenset()) | {last}
    if not isinstance(constants.get("SDK_VERSION"), str):
        raise Invalid(f'"{name}" does not say which SDK it brings.')
    return Release(
        version=str(Version(str(headers["Version"]))),
        sdk=str(Version(constants["SDK_VERSION"])),
        known_by="package",
        names=names,
        hooks=frozenset(constants.get("HOOK_NAMES", ())),
        plugins=dict(_bundled(archive)),
        requires=tuple(applying(str(each) for each in headers.get_all("Requires-Dist", []))),
    )


def _sdk_modules(archive: zipfile.ZipFile) -> Iterator[tuple[str, ast.Module]]:
    for path in archive.namelist():
        if path.startswith(f"{_SDK}/") and path.endswith(".py"):
            yield path, ast.parse(member_text(archive, path))


def _bundled(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    for path in archive.namelist():
        parts = PurePosixPath(path).parts
        if len(parts) == 3 and parts[0] == _BUILTIN and parts[2] == MANIFEST_NAME:
            try:
                document = parse_json(member_text(archive, path).encode())
                yield str(document["id"]), str(document["version"])
            except (StageboxError, KeyError, TypeError):
                continue  # its own tests would have failed; it says nothing about others


def _bound(tree: ast.Module) -> Iterator[str]:
    """The names that a module has once it is imported, and those that its ``__getattr__``
    spells out: old names that still work."""
    for node in ast.walk(ast.Module([_unfold(each) for each in tree.body], [])):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.asname or each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _unfold(node: ast.stmt) -> ast.stmt:
    """Without what is inside of classes and functions, but for ``__getattr__``."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        if node.name == "__getattr__":
            return node
        kept = ast.Pass()
        return ast.ClassDef(node.name, [], [], [kept], [])
    if isinstance(node, ast.If | ast.Try):
        for block in ("body", "orelse", "handlers", "finalbody"):
            inside = [_unfold(each) for each in getattr(node, block, [])]
            if hasattr(node, block):
                setattr(node, block, inside)
    return node


def _literals(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            try:
                yield node.target.id, ast.literal_eval(node.value)
            except ValueError:
                continue  # computed, so none of those that are asked for
