"""Plugins of one file, and what a check does that runs one: it ends in time, and leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from host.authoring.checking import check_plugin, contributions
from plugin_sdk import Invalid, NotFound


def test_a_plugin_of_one_file_needs_no_manifest(tmp_path):
    path = tmp_path / "hello.py"
    path.write_text(
        "from plugin_sdk import Plugin, route\n\n\nclass plugin(Plugin):\n"
        "    @route('GET', '/hello', access='open', summary='Hello')\n"
        "    def hello(self, request):\n        return {'count': self.context.db.value('SELECT 1')}"
    )
    assert check_plugin(path, timeout=100).findings == ()
    path.write_text(path.read_text().replace(", summary='Hello'", ""))
    (finding,) = check_plugin(path, timeout=100).findings
    assert (finding.rule.name, finding.file, finding.line) == ("route-undocumented", "hello.py", 5)


@pytest.mark.parametrize(
    ("line", "rule", "said"),
    [
        ("self.context.settings['limit']", "setting-undeclared", 'no setting "limit"'),
        ("self.context.events.emit('heard')", "event-foreign-name", 'with "hello."'),
    ],
    ids=["setting", "event"],
)
def test_a_plugin_of_one_file_cannot_declare_everything(tmp_path, line, rule, said):
    path = tmp_path / "hello.py"
    path.write_text(
        "from plugin_sdk import Plugin\n\n\nclass plugin(Plugin):\n"
        f"    def tell(self):\n        return {line}\n"
    )
    report = check_plugin(path, run=False)
    (finding,) = report.findings
    assert (report.plugin_id, finding.rule.name, finding.line) == ("hello", rule, 6)
    assert said in finding.message


@pytest.mark.parametrize(
    ("code", "rule", "said"),
    [
        ("from plugin_sdk import rout\n", "sdk-name", 'did you mean "route"?'),
        (
            "from plugin_sdk import Plugin, route\n\n\nclass plugin(Plugin):\n"
            "    @route('GET', '/x', permision='a')\n    def x(self, request):\n        return 1\n",
            "decorator-argument",
            'did you mean "permission"?',
        ),
    ],
    ids=["name", "argument"],
)
def test_what_is_told_better_by_reading_is_told_once(tmp_path, code, rule, said):
    path = tmp_path / "hello.py"
    path.write_text(code)
    found = {each.rule.name: each.message for each in check_plugin(path, timeout=100).findings}
    assert said in found[rule]
    assert "code-import-error" not in found


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os\nos._exit(3)\n", "status 3 (import)"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "status -9 (import)"),
        (
            "import os\nos.write(2, b'x' * 300_000 + b'\\nlast words')\nos._exit(3)\n",
            "status 3: last words (import)",
        ),
    ],
    ids=["exit", "kill", "noise"],
)
def test_a_plugin_that_ends_the_process_is_a_finding(tmp_path, monkeypatch, code, said):
    monkeypatch.setattr(contributions, "_LAST_SECONDS", 60.0)
    path = tmp_path / "bad.py"
    path.write_text(code + "plugin = None\n")
    found = {each.rule.name: each for each in check_plugin(path, timeout=100).findings}
    assert said in found["code-crash"].message


def test_a_plugin_that_does_not_come_back_is_a_finding(tmp_path, monkeypatch, wait_until):
    begun = tmp_path / "begun"

    class Process(subprocess.Popen):
        """Its time is up once it imports the plugin: how long Python takes to start is open."""

        def wait(self, timeout=None):
            if timeout is None:  # it was killed
                return super().wait()
            wait_until(begun.exists, seconds=100)
            return super().wait(0.2)

    known = SimpleNamespace(**{**vars(subprocess), "Popen": Process})
    monkeypatch.setattr(contributions, "subprocess", known)
    path = tmp_path / "bad.py"
    path.write_text(f"open({str(begun)!r}, 'w').close()\nwhile True:\n    pass\n")
    found = {each.rule.name: each for each in check_plugin(path, timeout=6).findings}
    assert "within 6 seconds (import)" in found["code-crash"].message


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells only on Linux")
def test_what_a_plugin_has_started_ends_with_the_check(tmp_path, wait_until):
    note = tmp_path / "pid"
    (tmp_path / "starts.py").write_text(
        "import pathlib, subprocess, sys\n\nfrom plugin_sdk import Plugin\n\n"
        "process = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(process.pid))\n\n\n"
        "class plugin(Plugin):\n    pass\n"
    )
    rules = {each.rule.name for each in check_plugin(tmp_path / "starts.py", timeout=100).findings}
    assert "code-work-at-import" in rules
    assert "code-crash" not in rules
    status = Path(f"/proc/{note.read_text()}/stat")

    def ended():
        try:
            return status.read_text().rpartition(")")[2].split()[0] in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_until(ended)  # a process that was killed ends when it gets its turn


def test_the_figures_of_jobs_are_judged_as_the_host_does(tmp_path):
    (tmp_path / "jobs.py").write_text(
        "from plugin_sdk import Plugin, job\n\n\nclass plugin(Plugin):\n"
        "    @job('often', every=-1)\n    def often(self, run):\n        return 1\n\n"
        "    @job('never', every=float('inf'))\n    def never(self, run):\n        return 1\n"
    )
    found = [
        (each.rule.name, each.line)
        for each in check_plugin(tmp_path / "jobs.py", timeout=100).findings
    ]
    assert found == [("job-invalid", 5), ("job-invalid", 9)]


def test_what_is_no_plugin_is_refused(tmp_path):
    with pytest.raises(NotFound):
        check_plugin(tmp_path / "nothing")
    with pytest.raises(Invalid, match="plugin new ID"):
        check_plugin(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(Invalid, match="no Python file"):
        check_plugin(tmp_path / "a.txt")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plugin.json").write_text("{}")
    with pytest.raises(Invalid, match="name one of one, two"):
        check_plugin(tmp_path)
