"""Rules about what the code asks of the host, and whether the manifest declares it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any, Final

from host.authoring.checking.findings import Finding
from host.authoring.checking.subject import Module, Subject
from host.authoring.checking.syntax import called, constants_of, qualified, text_of
from host.plugins.manifests import MANIFEST_NAME
from host.suggestions import suggestion_suffix
from plugin_sdk import CAPABILITIES, CORE_PERMISSIONS, Manifest

__all__ = ["check_usage"]

_BY_DECORATOR: Final = {"websocket": "websocket", "command": "commands", "migration": "db"}
_BY_CLASS: Final = {"WebSocketRoute": "websocket", "Command": "commands", "Migration": "db"}
_ASKING: Final = frozenset({"allowed", "require"})


def check_usage(subject: Subject) -> Iterator[Finding]:
    """Nothing without a manifest that fits: then nobody knows what is declared."""
    constants = constants_of(subject.modules)
    yield from _events_and_jobs(subject, constants)
    manifest = subject.manifest
    if subject.folder is None:
        yield from _read_settings(subject, {}, constants)
    if manifest is None:
        return
    yield from _capabilities(subject, manifest)
    yield from _permissions(subject, manifest, constants)
    yield from _settings(subject, manifest, constants)


def _nodes(subject: Subject) -> Iterator[tuple[Module, ast.AST]]:
    for module in subject.modules:
        for node in ast.walk(module.tree):
            yield module, node


def _member(subject: Subject, rule: str, message: str, name: str) -> Finding:
    """A finding about a name in plugin.json."""
    assert subject.folder is not None
    path = subject.folder / MANIFEST_NAME
    lines = path.read_text("utf-8").splitlines()
    line = next((index for index, text in enumerate(lines, 1) if f'"{name}"' in text), 1)
    return subject.finding(rule, message, path, line)


# Capabilities


def _capabilities(subject: Subject, manifest: Manifest) -> Iterator[Finding]:
    declared = set(manifest.capabilities)
    if "http.private" in declared:
        declared.add("http")
    touched: set[str] = set()
    for module, node in _nodes(subject):
        used = _used(node)
        if used is not None and used not in declared:
            text = f'The capability "{used}" is used, but not declared.'
            line = getattr(node, "lineno", 0)
            yield subject.finding("capability-missing", text, module.path, line)
        touched.update(_touched(node))
    for name in manifest.capabilities:
        if name.partition(".")[0] not in touched:
            text = f'The capability "{name}" is declared, but nothing uses it.'
            yield _member(subject, "capability-unused", text, name)


def _used(node: ast.AST) -> str | None:
    """What surely needs a capability."""
    if isinstance(node, ast.Attribute) and node.attr in CAPABILITIES:
        owner = qualified(node.value)[-1:]
        return node.attr if owner in (("context",), ("_context",)) else None
    if isinstance(node, ast.FunctionDef):
        for decorator in node.decorator_list:
            name = called(decorator)[-1:]
            if name and name[0] in _BY_DECORATOR:
                return _BY_DECORATOR[name[0]]
    return None


def _touched(node: ast.AST) -> set[str]:
    """What may need a capability: generous, as the other rule is strict."""
    found = {_used(node)} - {None}
    if isinstance(node, ast.Attribute) and node.attr in CAPABILITIES:
        found.add(node.attr)
    if isinstance(node, ast.Name) and node.id in (*_BY_CLASS, *_BY_DECORATOR):
        found.add({**_BY_CLASS, **_BY_DECORATOR}[node.id])
    return {each for each in found if each}


# Permissions


def _permissions(
    subject: Subject, manifest: Manifest, constants: Mapping[str, str]
) -> Iterator[Finding]:
    known = {each.name for each in (*CORE_PERMISSIONS, *manifest.permissions)}
    own = f"{manifest.id}:"
    for module, node in _nodes(subject):
        for asked in _asked(node):
            name = text_of(asked, constants)
            foreign = name is not None and ":" in name and not name.startswith(own)
            route = isinstance(node, ast.Call) and called(node)[-1:] == ("route",)
            if name is None or name in known or (foreign and not route):
                continue
            suffix = suggestion_suffix(name, known)
            text = f'Nobody declares the permission "{name}"{";" + suffix if suffix else "."}'
            yield subject.finding("permission-undeclared", text, module.path, asked.lineno)
    written = _words(subject)
    for permission in manifest.permissions:
        suffix = permission.name.rpartition(":")[2]
        if permission.name not in written and f":{suffix}" not in written:
            text = f'Nothing asks for the permission "{permission.name}".'
            yield _member(subject, "permission-unused", text, permission.name)


def _asked(node: ast.AST) -> Iterator[ast.expr]:
    if not isinstance(node, ast.Call):
        return
    names = called(node)
    if names[-1:] and names[-1] in ("route", "websocket", "Route", "WebSocketRoute"):
        yield from (each.value for each in node.keywords if each.arg == "permission")
    elif len(names) > 1 and names[-1] in _ASKING and names[-2] == "permissions":
        yield from node.args[1:2]


def _words(subject: Subject) -> str:
    """All texts of the code, and of what lies beside it."""
    texts = [
        node.value
        for _, node in _nodes(subject)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return "\n".join([*texts, subject.texts()])


# Settings


def _settings(
    subject: Subject, manifest: Manifest, constants: Mapping[str, str]
) -> Iterator[Finding]:
    schema = manifest.settings or {}
    properties = schema.get("properties", {})
    if schema.get("patternProperties"):
        return
    yield from _read_settings(subject, properties, constants)
    if manifest.settings_html is not None or _reads_all(subject):
        return
    words = _words(subject)
    for name in properties:
        if name not in words:
            text = f'Nothing reads the setting "{name}".'
            yield _member(subject, "setting-unused", text, name)


def _read_settings(
    subject: Subject, properties: Mapping[str, Any], constants: Mapping[str, str]
) -> Iterator[Finding]:
    """Those that nobody declares; a plugin of one file cannot declare any."""
    for module, node in _nodes(subject):
        if not isinstance(node, ast.Subscript):
            continue
        owner = qualified(node.value)
        if owner[-2:] not in (("context", "settings"), ("_context", "settings")):
            continue
        name = text_of(node.slice, constants)
        if name is not None and name not in properties:
            suffix = suggestion_suffix(name, properties)
            text = f'There is no setting "{name}"{";" + suffix if suffix else "."}'
            yield subject.finding("setting-undeclared", text, module.path, node.lineno)


def _reads_all(subject: Subject) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == "as_dict"
               for _, node in _nodes(subject))  # fmt: skip


# Events and jobs


def _events_and_jobs(subject: Subject, constants: Mapping[str, str]) -> Iterator[Finding]:
    jobs = {
        text_of(node.args[0], constants)
        for _, node in _nodes(subject)
        if isinstance(node, ast.Call) and called(node)[-1:] in (("job",), ("Job",)) and node.args
    }
    computed = any(
        isinstance(node, ast.FunctionDef) and node.name == "jobs" for _, node in _nodes(subject)
    )
    for module, node in _nodes(subject):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = text_of(node.args[0], constants)
        if name is None:
            continue
        owner = called(node)[-2:]
        if owner == ("events", "emit") and subject.plugin_id:
            if not name.startswith(subject.plugin_id + "."):
                text = f'"{name}" does not begin with "{subject.plugin_id}.".'
                yield subject.finding("event-foreign-name", text, module.path, node.lineno)
        elif owner == ("jobs", "start") and name not in jobs and None not in jobs and not computed:
            suffix = suggestion_suffix(name, [each for each in jobs if each])
            text = f'There is no job "{name}"{";" + suffix if suffix else "."}'
            yield subject.finding("job-unknown", text, module.path, node.lineno)
