"""A pytest run of its own for tests of suites and fixtures."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

import plugin_sdk

ROOT = Path(plugin_sdk.__file__).parent.parent


@dataclass(frozen=True)
class Outcome:
    """What became of each test, by class and name (``TestX.test_y``, or ``test_y``)."""

    passed: frozenset[str]
    failed: dict[str, str]
    skipped: frozenset[str]
    output: str

    def failed_of(self, class_name: str) -> set[str]:
        prefix = class_name + "."
        return {name.removeprefix(prefix) for name in self.failed if name.startswith(prefix)}


RunPytest = Callable[..., Outcome]
_STUCK_SECONDS: Final = 60
_MOST_SECONDS: Final = 280


@pytest.fixture
def run_pytest(tmp_path: Path) -> RunPytest:
    """Runs a test module in a fresh process, with our pytest plugin and no other.

    ``files`` lie beside it, by name; ``ini`` is more configuration; ``only`` selects tests, as
    ``TestX::test_y``; ``arguments`` are more of the command line."""

    def run(
        source: str,
        *,
        files: dict[str, str] | None = None,
        ini: str = "",
        only: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> Outcome:
        folder = tmp_path / "inner"
        folder.mkdir()
        for name, text in {"test_inner.py": source, **(files or {})}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n" + ini)
        report = tmp_path / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "plugin_sdk.testing.plugin"]
        command += ["-p", "no:cacheprovider", f"--junitxml={report}", *arguments]
        command += ["-o", f"faulthandler_timeout={_STUCK_SECONDS}"]  # says where it hangs
        command += [f"test_inner.py::{name}" for name in only] or ["test_inner.py"]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
                    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                    "PYTEST_ADDOPTS": "",
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                capture_output=True,
                text=True,
                timeout=_MOST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as stuck:
            pytest.fail(f"It hangs.\n{_text(stuck.stdout)}\n{_text(stuck.stderr)}")
        assert report.exists(), done.stdout + done.stderr
        return _outcome(report, done.stdout + done.stderr)

    return run


def _text(output: bytes | str | None) -> str:
    """What an ended process had said; not decoded then, whatever was asked for."""
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def _outcome(report: Path, output: str) -> Outcome:
    passed, skipped = set(), set()
    failed: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        class_name = case.get("classname", "").rpartition("test_inner")[2].lstrip(".")
        name = f"{class_name}.{case.get('name')}".lstrip(".")
        bad = next(
            (case.find(tag) for tag in ("failure", "error") if case.find(tag) is not None), None
        )
        if bad is not None:
            failed[name] = f"{bad.get('message')}\n{bad.text}"
        elif case.find("skipped") is not None:
            skipped.add(name)
        else:
            passed.add(name)
    return Outcome(frozenset(passed - failed.keys()), failed, frozenset(skipped), output)
