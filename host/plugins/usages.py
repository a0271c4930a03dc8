"""What a plugin's code uses of the SDK, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from host.plugins.discovery import Found
from plugin_sdk import HOOK_NAMES

__all__ = ["Usage", "usages_of"]

_SDK: Final = "plugin_sdk"
_MAX_FILES: Final = 2000


@dataclass(frozen=True, slots=True)
class Usage:
    """A name of a module of the SDK, or (``module`` "") a hook that is answered; and where."""

    module: str
    name: str
    place: str


def usages_of(found: Found) -> Iterator[Usage]:
    """Each once, by file and line; a file that cannot be parsed gives nothing: it does not run
    either."""
    seen: set[tuple[str, str]] = set()
    for root, path in _sources(found):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            continue
        for module, name, line in _in(tree):
            if (module, name) not in seen:
                seen.add((module, name))
                yield Usage(module, name, f"{path.relative_to(root.parent)}:{line}")


def _sources(found: Found) -> Iterator[tuple[Path, Path]]:
    folder = found.folder
    if folder is None:
        return
    if not (folder / "__init__.py").is_file():  # a module between those of other packages
        yield folder, folder / f"{found.target.partition(':')[0].rpartition('.')[2]}.py"
        return
    for number, path in enumerate(sorted(folder.rglob("*.py"))):
        if number >= _MAX_FILES:
            return
        yield folder, path


def _in(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and _is_sdk(node.module or ""):
            for each in node.names:
                yield node.module or "", each.name, node.lineno
                aliases[each.asname or each.name] = f"{node.module}.{each.name}"
        elif isinstance(node, ast.Import):
            for each in node.names:
                if _is_sdk(each.name):
                    bound = each.asname or _SDK
                    aliases[bound] = each.name if each.asname else _SDK
                    if "." in each.name:
                        package, _, last = each.name.rpartition(".")
                        yield package, last, node.lineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = aliases.get(node.value.id)
            if module is not None:
                yield module, node.attr, node.lineno
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and member.name in HOOK_NAMES:
                    yield "", member.name, member.lineno


def _is_sdk(module: str) -> bool:
    return module == _SDK or module.startswith(f"{_SDK}.")
