"""Rules about what the plugin does when it is loaded, judged by what a probe wrote down."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from host.authoring.checking.findings import Finding
from host.authoring.checking.kinds import CONTRIBUTIONS
from host.authoring.checking.subject import Subject
from host.events import check_pattern
from host.jobs import JobKind, check_kinds
from host.plugins.conflicts import METHODS, route_conflict
from host.plugins.manifests import MANIFEST_NAME
from host.schemas import check_schema
from plugin_sdk import CORE_PERMISSIONS, Invalid, Job, Manifest, Route, WebSocketRoute
from plugin_sdk.manifest import DEFAULT_PREFIX

__all__ = ["check_contributions"]

_SECONDS: Final = 30.0
_KEPT_BYTES: Final = 4096
_LAST_SECONDS: Final = 1.0
"""For what was written last to arrive. Whoever left the session may keep the stream open."""

Facts = Mapping[str, Any]


def check_contributions(subject: Subject, *, timeout: float = _SECONDS) -> Iterator[Finding]:
    """Runs the plugin for at most ``timeout`` seconds in a process of its own."""
    facts, end = _probe(subject, timeout)
    if facts.get("stage") != "end":
        text = f"{end} ({facts.get('stage') or 'start'})."
        yield subject.finding("code-crash", text, subject.entry, 1)
    yield from _faults(subject, facts)
    for effect in facts.get("effects", ()):
        text = f"Importing the plugin {effect['text']}."
        yield subject.finding("code-work-at-import", text, Path(effect["file"]), effect["line"])
    if "attribute" in facts:
        kind = facts["attribute"]
        rule = "code-no-plugin" if kind is None else "code-instance-not-class"
        text = f'"{subject.attribute}" is ' + ("missing." if kind is None else f"of type {kind}.")
        line = _line_of_attribute(subject)
        yield subject.finding(rule, text, subject.entry, line)
        return
    yield from _kinds(subject, facts)
    yield from _routes(subject, facts)
    yield from _handlers(subject, facts)
    yield from _providers(subject, facts)


def _probe(subject: Subject, timeout: float) -> tuple[Facts, str]:
    """The facts as far as they got, and how the process ended."""
    with tempfile.TemporaryDirectory(prefix="stagebox-check-") as aside:
        job, result = Path(aside) / "job.json", Path(aside) / "result.json"
        job.write_text(json.dumps(_job(subject)), encoding="utf-8")
        command = [sys.executable, "-B", "-P", "-m", "host.authoring.checking.probe",
                   str(job), str(result)]  # fmt: skip
        end = _run(command, Path(aside), timeout)
        try:
            facts: Facts = json.loads(result.read_text("utf-8"))
        except (OSError, ValueError):
            facts = {}
        return facts, end


def _run(command: list[str], folder: Path, timeout: float) -> str:
    """How the process ended, with the last line that it wrote to standard error. It is a session
    of its own, so that what it has started ends with it."""
    process = subprocess.Popen(  # noqa: S603  # our own interpreter
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    kept = bytearray()

    def keep() -> None:
        assert process.stderr is not None
        with process.stderr as stream:
            while chunk := stream.read1(_KEPT_BYTES):  # type: ignore[attr-defined]  # is buffered
                kept[:] = (kept + chunk)[-_KEPT_BYTES:]

    reader = threading.Thread(target=keep, name="check", daemon=True)
    reader.start()
    try:
        end = f"It ended the process with status {process.wait(timeout)}"
    except subprocess.TimeoutExpired:
        return f"It did not come back within {timeout:g} seconds"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(_LAST_SECONDS)
    said = kept.decode("utf-8", "replace").strip().splitlines()[-1:]
    return f"{end}: {said[0][:200]}" if said else end


def _job(subject: Subject) -> dict[str, Any]:
    folder, manifest = subject.folder, subject.manifest
    project = subject.project is not None and folder is not None
    named = project and folder is not None and folder.name.isidentifier()
    return {
        "folder": None if folder is None else str(folder),
        "entry": str(subject.entry),
        "module": folder.name if named and folder is not None else "_stagebox_checked",
        "attribute": subject.attribute,
        "paths": [str(folder.parent)] if named and folder is not None else [],
        "manifest": manifest is not None,
        "enable": (manifest is not None and not manifest.requires) or folder is None,
    }


def _line_of_attribute(subject: Subject) -> int:
    module = next((each for each in subject.modules if each.path == subject.entry), None)
    for node in module.tree.body if module is not None else ():
        if any(
            getattr(each, "id", "") == subject.attribute for each in getattr(node, "targets", ())
        ):
            return node.lineno
    return 1


def _faults(subject: Subject, facts: Facts) -> Iterator[Finding]:
    for fault in facts.get("faults", ()):
        kind, text = fault["type"], fault["text"]
        if fault["stage"] == "import" and kind == "SyntaxError":
            continue  # told by reading
        if kind == "CapabilityMissing":
            rule = "capability-missing"
        else:
            rule = "code-import-error" if fault["stage"] == "import" else "code-crash"
        message = f"{fault['stage']}: {text}"
        yield subject.finding(rule, message, Path(fault["file"]), fault["line"])


def _kinds(subject: Subject, facts: Facts) -> Iterator[Finding]:
    """What hooks give that is none of what they are asked for."""
    for hook, kinds in CONTRIBUTIONS.items():
        wanted = " or ".join(kind.__name__ for kind in kinds)
        names = {kind.__name__ for kind in kinds}
        for kind in {fact["kind"] for fact in facts.get(hook, ())} - names:
            text = f"{hook}() gives a {kind}, not {wanted}."
            yield subject.finding("contribution-kind", text, *_line_of_hook(subject, hook))
    if facts.get("filters"):
        text = "Only bundled plugins may stand before the routes of others."
        yield subject.finding("filter-foreign", text, *_line_of_hook(subject, "filters"))


def _routes(subject: Subject, facts: Facts) -> Iterator[Finding]:
    seen: list[Route | WebSocketRoute] = []
    prefix = f"{DEFAULT_PREFIX}{subject.plugin_id or 'example'}"
    manifest = subject.manifest or Manifest(
        subject.plugin_id, "", "", "", prefix=prefix, claims=(prefix,)
    )
    for fact in facts.get("routes", ()):
        place = (Path(fact["file"]), fact["line"])
        if fact["kind"] not in ("Route", "WebSocketRoute"):
            continue
        label = f"{fact['method']} {fact['path']}"
        route = _route(fact)
        if (fault := route_conflict(manifest, [route])) is not None:
            rule = "route-method" if fact["method"] not in METHODS else "route-path"
            yield subject.finding(rule, fault.message, *place)
        elif (fault := route_conflict(manifest, [*seen, route])) is not None:
            yield subject.finding("route-twice", fault.message, *place)
        else:
            seen.append(route)
        if fact.get("documented", True) and not fact.get("summary", "").strip():
            yield subject.finding("route-undocumented", f"{label} has no summary.", *place)
        yield from _permission(subject, fact, label)
        for name, schema in fact.get("schemas", {}).items():
            try:
                if not isinstance(schema, dict):
                    raise Invalid("is no JSON object.")
                check_schema(schema)
            except Invalid as error:
                text = f"The schema {name} of {label} {error.message}"
                yield subject.finding("route-schema-invalid", text, *place)


def _route(fact: Facts) -> Route | WebSocketRoute:
    if fact["kind"] == "WebSocketRoute":
        return WebSocketRoute(fact["path"], lambda _: None)
    return Route(fact["method"], fact["path"], lambda _: None)


def _permission(subject: Subject, fact: Facts, label: str) -> Iterator[Finding]:
    name, manifest = fact.get("permission"), subject.manifest
    if name is None or manifest is None:
        return
    if name not in {each.name for each in (*CORE_PERMISSIONS, *manifest.permissions)}:
        text = f'{label} needs the permission "{name}", which nobody declares.'
        yield subject.finding("permission-undeclared", text, Path(fact["file"]), fact["line"])


def _handlers(subject: Subject, facts: Facts) -> Iterator[Finding]:
    for kind in ("routes", "subscriptions", "jobs", "migrations"):
        for fact in facts.get(kind, ()):
            if fact.get("takes") is False:
                text = f"A handler of {kind} does not take exactly one argument beside self."
                place = (Path(fact["file"]), fact["line"])
                yield subject.finding("route-handler-arguments", text, *place)
    for kind, rule in (("jobs", "job-twice"), ("migrations", "migration-twice")):
        names: set[str] = set()
        for fact in facts.get(kind, ()):
            name = fact.get("name", "")
            if name in names:
                text = f'"{name}" is declared twice.'
                yield subject.finding(rule, text, Path(fact["file"]), fact["line"])
            names.add(name)
    for fact in facts.get("jobs", ()):
        figures = {key: fact[key] for key in ("every", "concurrency", "attempts") if key in fact}
        job = Job(fact.get("name", ""), lambda _: None, **figures)
        try:
            check_kinds([JobKind(subject.plugin_id, job, job.handler)])
        except Invalid as error:
            yield subject.finding("job-invalid", error.message, Path(fact["file"]), fact["line"])
    for fact in facts.get("subscriptions", ()):
        try:
            check_pattern(fact.get("event", ""))
        except Invalid as error:
            yield subject.finding("event-pattern", error.message, Path(fact["file"]), fact["line"])


def _providers(subject: Subject, facts: Facts) -> Iterator[Finding]:
    manifest = subject.manifest
    if manifest is None or subject.folder is None or "providers" not in facts:
        return
    declared = {(each.type, each.name) for each in manifest.providers}
    returned = {(each.get("type"), each.get("name")) for each in facts["providers"]}
    for kind, name in sorted((str(kind), str(name)) for kind, name in returned - declared):
        text = f'The {kind} provider "{name}" is not in plugin.json.'
        line = _line_of_hook(subject, "providers")
        yield subject.finding("provider-undeclared", text, *line)
    failed = any(fault["stage"] == "providers" for fault in facts.get("faults", ()))
    for provider in manifest.providers:
        if (provider.type, provider.name) not in returned and not failed:
            path = subject.folder / MANIFEST_NAME
            lines = path.read_text("utf-8").splitlines()
            line_ = next((n for n, each in enumerate(lines, 1) if f'"{provider.name}"' in each), 1)
            text = f'The {provider.type} provider "{provider.name}" is declared, but not given.'
            yield subject.finding("provider-not-returned", text, path, line_)


def _line_of_hook(subject: Subject, name: str) -> tuple[Path, int]:
    for module in subject.modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return module.path, node.lineno
    return subject.entry, 1
