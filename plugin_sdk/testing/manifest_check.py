"""What of a plugin.json can be judged without a host."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plugin_sdk.errors import Invalid
from plugin_sdk.manifest import CAPABILITIES, MAX_MANIFEST_BYTES, Manifest, manifest_schema
from plugin_sdk.strict_json import parse_json

__all__ = ["manifest_problems", "read_manifest"]


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a plugin's folder. Raises Invalid with everything that `manifest_problems`
    finds."""
    path = folder / "plugin.json"
    if not path.is_file():
        raise Invalid(f"There is no plugin.json in {folder.name or folder}.")
    content = path.read_bytes()
    if len(content) > MAX_MANIFEST_BYTES:
        raise Invalid(f"plugin.json is larger than {MAX_MANIFEST_BYTES} bytes.")
    document = parse_json(content, unique_keys=True)
    problems = list(manifest_problems(document, folder))
    if problems:
        raise Invalid("plugin.json: " + "; ".join(problems))
    return Manifest.from_json(document)


def manifest_problems(document: Any, folder: Path) -> Iterator[str]:
    """What is wrong with a manifest, one clause each. The host finds more: it checks the whole
    JSON Schema."""
    if not isinstance(document, dict):
        yield "the top level must be an object"
        return
    shape = list(_shape_problems(document))
    yield from shape
    if not shape:
        manifest = Manifest.from_json(document)
        yield from _permission_problems(manifest)
        yield from _capability_problems(manifest)
        yield from _file_problems(manifest, folder)


def _shape_problems(document: Mapping[str, Any]) -> Iterator[str]:
    schema = manifest_schema()
    properties = schema["properties"]
    for name in schema["required"]:
        if name not in document:
            yield f'"{name}" is missing'
    for name, value in document.items():
        if name not in properties:
            yield f'"{name}" is unknown{_suggestion(name, properties)}'
        else:
            yield from _value_problems(name, value, properties[name])


def _value_problems(name: str, value: Any, definition: Mapping[str, Any]) -> Iterator[str]:
    kinds = {"string": str, "array": list, "object": dict}
    expected = definition.get("type")
    if expected and not isinstance(value, kinds[expected]):
        yield f'"{name}" must be of type {expected}'
    elif isinstance(value, str):
        pattern = definition.get("pattern")
        if pattern and not re.search(pattern, value):
            yield f'"{name}" is not well-formed: {value[:80]!r}'
        if not definition.get("minLength", 0) <= len(value) <= definition.get("maxLength", 10**9):
            yield f'"{name}" is too short or too long'


def _permission_problems(manifest: Manifest) -> Iterator[str]:
    names = [permission.name for permission in manifest.permissions]
    for name in names:
        if not name.startswith(manifest.id + ":"):
            yield f'the permission "{name}" must begin with "{manifest.id}:"'
    for name in {name for name in names if names.count(name) > 1}:
        yield f'the permission "{name}" occurs twice'


def _capability_problems(manifest: Manifest) -> Iterator[str]:
    for name in manifest.capabilities:
        if name not in CAPABILITIES:
            yield f'"{name}" is no capability{_suggestion(name, CAPABILITIES)}'


def _file_problems(manifest: Manifest, folder: Path) -> Iterator[str]:
    named = [*manifest.scripts, *manifest.styles, *(page.path for page in manifest.pages)]
    for path in [*named, *filter(None, [manifest.settings_html])]:
        if not (folder / path).is_file():
            yield f'the file "{path}" is not in the folder'


def _suggestion(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""
