"""Runs a plugin in a process of its own, in a fake context, and writes down what it contributes.

``python -m host.authoring.checking.probe JOB RESULT``: both are JSON files. Whatever the plugin
does, this process alone suffers; the result is written anew before each stage, so that a plugin
that ends the process is told as such.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

from host.authoring.checking.kinds import CONTRIBUTIONS
from plugin_sdk import Migration, Plugin, Route, WebSocketRoute
from plugin_sdk.testing import FakeContext

__all__ = ["Probe"]

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_EFFECTS: Final = {
    "os.mkdir": "makes a folder",
    "os.remove": "removes a file",
    "os.rename": "renames a file",
    "os.system": "runs a program",
    "shutil.rmtree": "removes a folder",
    "socket.bind": "binds a socket",
    "socket.connect": "connects to a server",
    "sqlite3.connect": "opens a database",
    "subprocess.Popen": "runs a program",
}


class Probe:
    """``job``: ``folder`` and ``entry``, the module's name ``module``, its ``attribute``,
    ``paths`` for sys.path, ``manifest`` (whether there is one that fits) and ``enable`` (whether
    to start it: not one that needs other plugins)."""

    def __init__(self, job: Mapping[str, Any], result: Path) -> None:
        self._job = job
        self._result = result
        self._root = Path(job["folder"] or Path(job["entry"]).parent)
        self._entry = Path(job["entry"])
        self.facts: dict[str, Any] = {"stage": "", "faults": [], "effects": []}

    def run(self) -> None:
        self._at("import")
        cls = self._fenced(self._load)
        if cls is not None:
            self._live(cls)
        self._at("end")

    def _live(self, cls: type[Plugin]) -> None:
        folder = self._job["folder"]
        known = folder and self._job["manifest"]
        context = FakeContext.for_folder(Path(folder)) if known else FakeContext("example.checked")
        with context:
            self._at("constructor")
            plugin = self._fenced(lambda: cls(context))
            if plugin is None:
                return
            enabled = False
            if self._job["enable"]:
                enabled = self._start(plugin, context)
            for name in CONTRIBUTIONS:
                self._at(name)
                values = self._fenced(partial(_listed, plugin, name))
                self.facts[name] = [_described(each, self._place) for each in values or ()]
            if enabled:
                self._at("disable")
                self._fenced(plugin.disable)

    def _start(self, plugin: Plugin, context: FakeContext) -> bool:
        """Whether it is at work; a plugin that objects is not enabled, which is its right."""
        self._at("check")
        objections = self._fenced(lambda: list(plugin.check() or ()), [None])
        if objections:
            return False
        self._at("migrations")
        before = len(self.facts["faults"])
        for step in self._fenced(lambda: list(plugin.migrations())) or ():
            self._fenced(partial(_apply, step, context))
        if len(self.facts["faults"]) > before:
            return False
        self._at("enable")
        self._fenced(plugin.enable)
        return len(self.facts["faults"]) == before

    def _load(self) -> type[Plugin] | None:
        sys.path[:0] = self._job["paths"]
        name = self._job["module"]
        spec = importlib.util.spec_from_file_location(name, self._entry)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        watch = _Watch(self)
        sys.addaudithook(watch)
        start = threading.Thread.start

        def noted_start(thread: threading.Thread) -> None:
            watch.note("starts a thread")
            start(thread)

        threading.Thread.start = noted_start  # type: ignore[assignment,method-assign]  # no event tells it
        watch.armed = True
        try:
            spec.loader.exec_module(module)
        finally:
            watch.armed = False
            threading.Thread.start = start  # type: ignore[method-assign]
        found = getattr(module, self._job["attribute"], None)
        if isinstance(found, type) and issubclass(found, Plugin):
            return found
        self.facts["attribute"] = None if found is None else type(found).__name__
        return None

    def _fenced(self, call: Callable[[], Any], otherwise: Any = None) -> Any:
        try:
            return call()
        except BaseException as error:  # foreign code: sys.exit() and Ctrl-C of its own included
            file, line = self._blamed(error)
            lines = "".join(traceback.format_exception_only(error)).strip().splitlines()
            fault = {
                "stage": self.facts["stage"],
                "type": type(error).__name__,
                "text": lines[-1][:500],
                "file": file,
                "line": line,
            }
            self.facts["faults"].append(fault)
            return otherwise

    def _blamed(self, error: BaseException) -> tuple[str, int]:
        """The innermost line of the plugin's own."""
        if isinstance(error, SyntaxError) and error.filename and self._own(error.filename):
            return error.filename, error.lineno or 1
        place = (str(self._entry), 1)
        trace = error.__traceback__
        while trace is not None:
            if self._own(trace.tb_frame.f_code.co_filename):
                place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
            trace = trace.tb_next
        return place

    def _own(self, file: str) -> bool:
        if self._job["folder"] is None:
            return Path(file) == self._entry
        return Path(file).is_relative_to(self._root)

    def frame_of_plugin(self) -> FrameType | None:
        """The innermost frame of the plugin's own, unless it is importing a library."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            file = frame.f_code.co_filename
            if self._own(file):
                return frame
            if file.startswith("<frozen importlib"):
                return None
            frame = frame.f_back
        return None

    def _place(self, function: Any) -> tuple[str, int]:
        """File and first line of a function of the plugin; of its decorator, if it has one."""
        code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
        if code is None or not self._own(code.co_filename):
            return str(self._entry), 1
        return code.co_filename, code.co_firstlineno

    def _at(self, stage: str) -> None:
        self.facts["stage"] = stage
        self._result.write_text(json.dumps(self.facts), encoding="utf-8")


class _Watch:
    """An audit hook (PEP 578) that notes what importing does, and where."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.armed = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        text = _EFFECTS.get(event)
        if event == "open":
            flags = arguments[2]
            written = isinstance(flags, int) and flags & _WRITING
            text = "writes a file" if written and arguments[0] != os.devnull else None
        if text is not None:
            self.note(text)

    def note(self, text: str) -> None:
        """Notes where in the plugin's code it is done, if it is done there."""
        frame = self._probe.frame_of_plugin()
        if frame is not None:
            effect = {"text": text, "file": frame.f_code.co_filename, "line": frame.f_lineno}
            self._probe.facts["effects"].append(effect)


def _described(value: Any, place: Callable[[Any], tuple[str, int]]) -> dict[str, Any]:
    """A contribution as JSON. Values that are of no expected type have their kind alone."""
    handler = getattr(value, "handler", None) or getattr(value, "apply", None)
    file, line = place(handler)
    found: dict[str, Any] = {"kind": type(value).__name__, "file": file, "line": line}
    for name in ("path", "method", "permission", "access", "summary", "documented", "name", "type",
                 "event", "every", "concurrency", "attempts"):  # fmt: skip
        if isinstance(part := getattr(value, name, None), str | int | float | bool):
            found[name] = part
    if handler is not None:
        found["takes"] = _takes_one(handler)
    if isinstance(value, Route):
        schemas = {name: getattr(value, name) for name in ("body", "query", "returns")}
        found["schemas"] = {
            name: _as_json(schema) for name, schema in schemas.items() if schema is not None
        }
    elif isinstance(value, WebSocketRoute):
        found["method"] = "WEBSOCKET"
    return found


def _listed(plugin: Plugin, name: str) -> list[Any]:
    return list(getattr(plugin, name)())


def _apply(step: Migration, context: FakeContext) -> None:
    with context.db.transaction():
        step.apply(context.db)


def _as_json(schema: Any) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(json.dumps(schema, default=_mapping))
    except (TypeError, ValueError, RecursionError):
        return None


def _mapping(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _takes_one(function: Any) -> bool:
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return True


def _main(job: str, result: str) -> None:
    probe = Probe(json.loads(Path(job).read_text("utf-8")), Path(result))
    probe.run()
    sys.stderr.flush()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            os._exit(0)  # whatever the plugin started must not keep this process


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
