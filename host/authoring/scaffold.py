"""``stagebox plugin new``: a plugin that works, tested and ready to be packed, in seven files."""

from __future__ import annotations

import json
import keyword
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

from host.plugins.discovery import find_installed, is_plugin_id
from plugin_sdk import Conflict, Invalid

__all__ = ["scaffold"]

_FILES: Final[Mapping[str, str]] = {
    "plugin.json.txt": "$module/plugin.json",
    "module.py.txt": "$module/__init__.py",
    "test.py.txt": "tests/test_$module.py",
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "ci.yml.txt": ".github/workflows/test.yml",
    "gitignore.txt": ".gitignore",
}

_IMPORTED: Final = frozenset({"Any", "Conflict", "Plugin", "Request", "Response"})
"""By the module that is written."""


def scaffold(plugin_id: str, into: Path, *, name: str = "", author: str = "") -> list[Path]:
    """Writes the files below ``into``, which must not exist or be empty; they are returned.

    Raises Invalid for an id that is none, Conflict for that of a built-in plugin, and for a folder
    with something in it."""
    if not is_plugin_id(plugin_id):
        raise Invalid(
            f'"{plugin_id}" is no plugin id: lower-case letters, digits, "_", "-" and ".", with a '
            'letter first, best with a word of yours in front: "ada.notes".'
        )
    if any(each.bundled and each.id == plugin_id for each in find_installed([])):
        raise Conflict(
            f'"{plugin_id}" is a plugin of Stagebox, which would win: put a word of yours in '
            f'front, "ada.{plugin_id}".'
        )
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise Conflict(f'"{into}" is there already, and not empty.')
    module = _free_module(plugin_id.replace(".", "_").replace("-", "_"))
    words = {
        "id": plugin_id,
        "module": module,
        "name": name or plugin_id.rpartition(".")[2].replace("-", " ").replace("_", " ").title(),
        "author": author or "You",
        "distribution": f"stagebox-{plugin_id.replace('.', '-').replace('_', '-')}",
        "class": _free_class("".join(part.title() for part in module.split("_"))),
    }
    in_json = {key: json.dumps(value, ensure_ascii=False)[1:-1] for key, value in words.items()}
    written = []
    for template, target in _FILES.items():
        text = files("host.authoring").joinpath("templates", template).read_text("utf-8")
        path = into / Template(target).substitute(words)
        path.parent.mkdir(parents=True, exist_ok=True)
        filled = _Text(text).substitute(in_json if path.suffix == ".json" else words)
        path.write_text(filled, encoding="utf-8")
        written.append(path)
    return written


def _free_module(name: str) -> str:
    """Another name for what Python has already: ``json``, a keyword, an installed library. The
    tests, which see the project's folder first, would import the plugin in its place."""
    taken = keyword.iskeyword(name) or name == "tests" or find_spec(name) is not None
    return f"{name}_plugin" if taken else name


def _free_class(name: str) -> str:
    """Another name for what the module imports."""
    return f"{name}Plugin" if keyword.iskeyword(name) or name in _IMPORTED else name


class _Text(Template):
    """``@{id}``: neither Python nor TOML nor YAML has that."""

    delimiter = "@"
    pattern = r"""
        (?P<escaped>(?!))|(?P<named>(?!))|@\{(?P<braced>[a-z]+)\}|(?P<invalid>(?!))
    """  # type: ignore[assignment]  # Template compiles it
