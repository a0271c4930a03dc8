"""Rules about plugin.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from host.authoring.checking.findings import Finding
from host.authoring.checking.positions import lines_of_members
from host.authoring.checking.subject import Subject
from host.plugins.conflicts import claim_conflict
from host.plugins.discovery import find_installed
from host.plugins.manifests import (
    MANIFEST_NAME,
    ManifestInvalid,
    ManifestReader,
    check_manifest,
    sdk_fits,
)
from plugin_sdk import Invalid, Manifest, Problem, parse_json
from plugin_sdk.manifest import MAX_MANIFEST_BYTES, SDK_VERSION

__all__ = ["check_manifest_file"]

_SECRET: Final = re.compile(r"password|passwd|secret|token|api_?key|private_?key|credential", re.I)


def check_manifest_file(subject: Subject) -> Iterator[Finding]:
    """Reads it into the subject on the way."""
    if subject.folder is None:
        return
    path = subject.folder / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError:
        yield subject.finding("manifest-missing", f"There is no {MANIFEST_NAME}.", path, 1)
        return
    found = list(_syntax(subject, path, content))
    yield from found
    if found:
        return
    lines = lines_of_members(content.decode("utf-8"))
    document = parse_json(content)
    if isinstance(document, dict):
        subject.document = document
    try:
        subject.manifest = check_manifest(document, bundled=False, folder=subject.folder)
    except ManifestInvalid as error:
        for problem in error.details:
            name = f'"{problem.path}" ' if problem.path else "The manifest "
            text = problem.message if problem.message.startswith('"') else name + problem.message
            where = _line(lines, problem.path)
            if problem.path == "id" and "pattern" in text:
                text = f'"{document["id"]}" is no plugin id.'
            yield subject.finding(_rule(problem, document), _sentence(text), path, where)
    for rule, message, member in (*_habits(subject.document), *_taken(subject.manifest)):
        yield subject.finding(rule, message, path, _line(lines, member))


def _taken(manifest: Manifest | None) -> Iterator[tuple[str, str, str]]:
    """What built-in plugins have already: rule, message and member."""
    if manifest is None:
        return
    built_in = {each.id: each.folder for each in find_installed([]) if each.bundled}
    if manifest.id in built_in:
        text = f'"{manifest.id}" is a plugin of Stagebox, which would win.'
        yield "manifest-id-reserved", text, "id"
        return
    reader = ManifestReader()
    claims = {
        key: reader.read(folder, bundled=True).claims for key, folder in built_in.items() if folder
    }
    fault = claim_conflict(manifest, claims, ())
    if fault is not None:
        yield "prefix-taken", fault.message, "routes"


def _syntax(subject: Subject, path: Path, content: bytes) -> Iterator[Finding]:
    line, column = 1, 0
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        line, column = error.lineno, error.colno
    except (ValueError, RecursionError):
        pass  # parse_json says what is wrong, as a whole
    try:
        if len(content) > MAX_MANIFEST_BYTES:
            raise Invalid(f"It is larger than {MAX_MANIFEST_BYTES} bytes.")
        parse_json(content, unique_keys=True)
    except Invalid as error:
        yield subject.finding("manifest-json", error.message, path, line, column)


def _line(lines: Mapping[str, int], member: str) -> int:
    """Of the member, or of the nearest that stands around it."""
    while member and member not in lines:
        member = member.rpartition(".")[0]
    return lines.get(member, 1)


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "?")) else text + "."


def _rule(problem: Problem, document: Any) -> str:
    path, message = problem.path, problem.message
    top = path.partition(".")[0]
    if "is not known here" in message:
        return "manifest-unknown-key"
    if message == "is missing":
        return "manifest-missing-key"
    if path == "id":
        reserved = isinstance(document, dict) and document.get("id") in (
            "host", "permissions", "providers",
        )  # fmt: skip
        return "manifest-id-reserved" if reserved else "manifest-id"
    if "is not in the plugin's folder" in message:
        return "page-missing"
    if "must begin with" in message and top == "permissions":
        return "permission-foreign-name"
    if top == "settings":
        return "settings-default-unfit" if path.endswith(".default") else "settings-schema"
    rules = {
        "version": "manifest-version", "sdk": "manifest-sdk", "capabilities": "capability-unknown"
    }  # fmt: skip
    return rules.get(top, "manifest-invalid")


def _habits(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Rule, message and member."""
    if not document.get("description"):
        yield "manifest-description", "The manifest has no description.", "name"
    if not document.get("license"):
        yield "manifest-license", "The manifest names no licence.", "name"
    sdk = document.get("sdk")
    try:
        if isinstance(sdk, str) and not sdk_fits(sdk):
            text = f'"{sdk}" leaves out the SDK {SDK_VERSION} of this installation.'
            yield "manifest-sdk", text, "sdk"
    except ValueError:
        pass  # no specifier set: check_manifest says so
    settings = document.get("settings")
    properties = settings.get("properties") if isinstance(settings, dict) else None
    for name, definition in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(definition, dict) or definition.get("type") not in (None, "string"):
            continue
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
        if _SECRET.search(snake) and definition.get("writeOnly") is not True:
            text = f'The setting "{name}" is named like a secret, and would be shown in clear.'
            yield "settings-secret-in-clear", text, f"settings.properties.{name}"
