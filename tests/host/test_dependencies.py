"""What is imported is declared, with a lower bound; what is declared is imported."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDERS = ("host", "plugin_sdk", "builtin_plugins")
IMPORT = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = DECLARED["optional-dependencies"]
OURS = {*FOLDERS, "_typeshed"}
NOT_IMPORTED = {
    "rfc3339-validator",  # jsonschema looks for them
    "rfc3986-validator",
    "flask-openapi-scalar",  # read as data
    "flask-swagger-ui",
}


def required(*groups: str) -> dict[str, Requirement]:
    """The requirements of the package, or of these extras, by name."""
    texts = [text for group in groups for text in EXTRAS[group]] or DECLARED["dependencies"]
    found = [Requirement(text) for text in texts]
    return {str(canonicalize_name(each.name)): each for each in found if each.name != "stagebox"}


def imported() -> set[str]:
    """The distributions that our packages import something of."""
    texts = (file.read_text() for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    names = {name for text in texts for name in IMPORT.findall(text)}
    known = packages_distributions()
    foreign = names - set(sys.stdlib_module_names) - OURS
    return {str(canonicalize_name(known[name][0])) for name in foreign if name in known}


def test_what_is_imported_is_declared_and_nothing_else() -> None:
    declared = {*required(), *required("postgres", "s3", "fast", "docs")}
    assert imported() - declared - {"pytest"} == set()
    assert declared - imported() - NOT_IMPORTED == set()


@pytest.mark.parametrize("group", ["", *EXTRAS])
def test_each_has_a_lower_bound_and_no_upper_one(group: str) -> None:
    for each in required(*([group] if group else [])).values():
        assert {bound.operator for bound in each.specifier} == {">="}, str(each)


def test_what_is_optional_is_not_needed_to_start() -> None:
    """Whoever installs the package alone has no pytest, no PostgreSQL driver and the like."""
    program = """
import importlib, sys
from importlib.metadata import entry_points

for name in ("pytest", "psycopg", "botocore", "granian", "hypothesis"):
    sys.modules[name] = None  # importing it fails
import host.cli, host.server
for entry in entry_points(group="stagebox.plugins"):
    if entry.module.startswith("builtin_plugins."):
        importlib.import_module(entry.module)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
