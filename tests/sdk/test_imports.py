"""What importing the SDK brings in, seen from a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import plugin_sdk

ROOT = Path(plugin_sdk.__file__).parent.parent

_SCRIPT = """
import json, sys
before = set(sys.modules)
import {module}
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""


def _brought_in_by(module: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(module=module)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: set[str] = set(json.loads(done.stdout))
    return found - sys.stdlib_module_names


@pytest.mark.parametrize(
    "module", ["plugin_sdk", "plugin_sdk.management", "plugin_sdk.manifest", "plugin_sdk.hookspecs"]
)
def test_the_sdk_is_the_standard_library_and_pluggy(module: str) -> None:
    assert _brought_in_by(module) == {"plugin_sdk", "pluggy"}


def test_the_test_kit_adds_pytest_and_what_that_needs() -> None:
    brought_in = _brought_in_by("plugin_sdk.testing.plugin")
    assert brought_in - _brought_in_by("pytest") == {"plugin_sdk"}


@pytest.mark.parametrize("module", ["plugin_sdk", "plugin_sdk.testing.plugin"])
def test_importing_has_no_side_effects(module: str) -> None:
    from plugin_sdk.testing import import_effects

    assert import_effects(module) == []


def test_every_module_can_be_imported_first() -> None:
    names = sorted(
        path.stem for path in (ROOT / "plugin_sdk").glob("*.py") if path.stem != "__init__"
    )
    script = "import sys, plugin_sdk.{0}; assert plugin_sdk.{0}.__all__"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script.format(name)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    failed = {
        name: error
        for name, process in zip(names, processes, strict=True)
        if (error := process.communicate(timeout=120)[1]) or process.returncode
    }
    assert failed == {}
