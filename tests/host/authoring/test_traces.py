"""What an author reads when a version does not start: their own file and line, none of ours."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from host.app import Host
from host.authoring import Development, find_source
from host.authoring.traces import Traces
from host.config import load_config


def shown_for(folder: Path, source: Path) -> tuple[str, str]:
    """What the log and the author's terminal show of the first look."""
    stream = io.StringIO()
    said: list[str] = []
    flags = {"data_dir": str(folder / "data"), "listen": ["127.0.0.1:0"]}
    host = Host(load_config(flags, {}), env={}, log_stream=stream)
    development = Development(host, find_source(source), folder / "aside", said.append)
    host.open()
    try:
        development.look()
        host.logs.flush()
    finally:
        host.stop()
    return stream.getvalue(), "\n".join(said)


HEAD = "from plugin_sdk import Plugin, route\n\n\nclass plugin(Plugin):\n"
CASES = {
    "syntax": (HEAD + "    def enable(self)\n        pass\n", 5, "SyntaxError: expected ':'"),
    "import": ("import nowhere_at_all\n", 1, "No module named 'nowhere_at_all'"),
    "name": ("from plugin_sdk import Plugin, rout\n", 1, "cannot import name 'rout'"),
    "job": (HEAD + "    def enable(self):\n        self.context.jobs.start('x')\n", 6, "no job"),
    "sql": (
        HEAD + "    def enable(self):\n        self.context.db.execute('CREATE')\n",
        6,
        "The database refuses this statement",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_version_that_does_not_start_is_told_once_with_the_authors_file(tmp_path, name):
    code, line, text = CASES[name]
    path = tmp_path / "sounds.py"
    path.write_text(code)
    log, said = shown_for(tmp_path, path)
    assert text in log
    assert f'File "{path}", line {line}' in log
    assert str(tmp_path / "data") not in log, "not the copy that runs"
    assert not re.search(r'File ".*/(host|plugin_sdk)/', log), "no frames of the host"
    assert "did not start" not in log, "the author is told, once"
    assert said.count(f"(sounds.py, line {line})") == 1
    assert "service.py" not in said


def test_a_folders_files_are_named_where_they_are_edited(tmp_path):
    edited, installed = tmp_path / "edited", tmp_path / "installed"
    for folder in (edited, installed):
        folder.mkdir()
    code = compile("def go():\n    raise ValueError('no')\n", str(installed / "part.py"), "exec")
    space: dict[str, Callable[[], None]] = {}
    exec(code, space)  # a file of a plugin
    traces = Traces(installed, edited)
    try:
        space["go"]()
    except ValueError as error:
        shown = traces.render(error, error.__traceback__)
    assert f'File "{edited / "part.py"}", line 2, in go' in shown
    assert shown.endswith("ValueError: no")


def test_an_error_that_never_came_by_the_plugin_is_shown_whole(tmp_path):
    traces = Traces(tmp_path / "installed", tmp_path)
    try:
        threading.Event().wait("x")  # type: ignore[arg-type]
    except TypeError as error:
        shown = traces.render(error, error.__traceback__)
    assert __file__ in shown
    assert "threading.py" in shown
