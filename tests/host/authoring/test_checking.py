"""Each rule of ``stagebox plugin check`` finds the mistake that it is there for, and where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from host.authoring import scaffold
from host.authoring.checking import RULES, check_plugin
from host.authoring.checking.positions import lines_of_members
from host.cli.main import main
from host.testing import TestHost
from plugin_sdk import StageboxError

EXAMPLES = Path(__file__).parents[3] / "examples"

MANIFEST = "ada_notes/plugin.json"
MODULE = "ada_notes/__init__.py"
PROJECT = "pyproject.toml"
CLASS = "class AdaNotes(Plugin):\n"
WRITE = '"""Write a note"""\n'


@dataclass(frozen=True)
class Mistake:
    """``old`` is replaced by ``new`` in ``file`` (which is removed when ``old`` is empty); the
    finding stands on the line of ``at`` in the result, or on ``line``."""

    rule: str
    file: str
    old: str
    new: str
    at: str = ""
    line: int = 0
    found_in: str = ""

    def make(self, root: Path) -> int:
        """Makes the mistake; returns the line on which it is to be found."""
        path = root / self.file
        if not self.old:
            path.unlink()
            return self.line
        text = path.read_text()
        assert self.old in text, f"{self.old!r} is not in {self.file}"
        path.write_text(text.replace(self.old, self.new, 1))
        lines = (root / (self.found_in or self.file)).read_text().splitlines()
        if not self.at:
            return self.line
        return next(number for number, each in enumerate(lines, 1) if self.at in each)


def method(code: str) -> str:
    """The class with a method more."""
    return CLASS + "".join(f"    {line}\n" if line else "\n" for line in code.splitlines()) + "\n"


def in_manifest(rule: str, old: str, new: str, at: str, line: int = 0) -> Mistake:
    return Mistake(rule, MANIFEST, old, new, at, line)


def in_class(rule: str, code: str, at: str) -> Mistake:
    return Mistake(rule, MODULE, CLASS, method(code), at)


MISTAKES = [
    Mistake("manifest-missing", MANIFEST, "", "", line=1),
    in_manifest("manifest-json", '"sdk": ">=1,<2",', '"sdk": ">=1,<2"', '"description"'),
    in_manifest("manifest-invalid", '"name": "Notes"', '"name": ""', '"name": ""'),
    in_manifest("manifest-missing-key", '  "sdk": ">=1,<2",\n', "", "", 1),
    in_manifest("manifest-unknown-key", '"license"', '"licence"', '"licence"'),
    in_manifest("manifest-id", '"id": "ada.notes"', '"id": "Ada.Notes"', '"id"'),
    in_manifest(
        "prefix-taken",
        '"license"',
        '"routes": {"prefix": "/api/v1"},\n  "license"',
        '"routes"',
    ),
    in_manifest("manifest-id-reserved", '"id": "ada.notes"', '"id": "host"', '"id"'),
    in_manifest("manifest-version", "0.1.0", "0.1", '"version"'),
    in_manifest("manifest-sdk", ">=1,<2", ">=9", '"sdk"'),
    in_manifest("manifest-description", '  "description": "Keeps short notes.",\n', "", '"name"'),
    in_manifest("manifest-license", '  "license": "MIT",\n', "", '"name"'),
    in_manifest("settings-schema", '"type": "integer"', '"type": "int"', '"settings"'),
    in_manifest("settings-default-unfit", '"default": 100', '"default": 0', '"maxNotes"'),
    in_manifest(
        "settings-secret-in-clear",
        '"maxNotes"',
        '"apiKey": {"type": "string"},\n      "maxNotes"',
        '"apiKey"',
    ),
    in_manifest("setting-unused", '"maxNotes"', '"minNotes": {},\n      "maxNotes"', '"minNotes"'),
    in_manifest("permission-foreign-name", "ada.notes:write", "bob.notes:write", "bob.notes"),
    in_manifest(
        "permission-unused",
        '"permissions": [',
        '"permissions": [\n    {"name": "ada.notes:read", "description": "Read"},',
        "ada.notes:read",
    ),
    in_manifest(
        "capability-unknown", '"license"', '"capabilities": ["dbs"],\n  "license"', '"dbs"'
    ),
    in_manifest("capability-unused", '"license"', '"capabilities": ["db"],\n  "license"', '"db"'),
    in_manifest(
        "page-missing", '"license"', '"frontend": {"scripts": ["x.js"]},\n  "license"', "x.js"
    ),
    in_manifest(
        "provider-not-returned",
        '"license"',
        '"providers": [{"type": "metadata", "name": "books"}],\n  "license"',
        '"books"',
    ),
    Mistake("code-syntax", MODULE, "def notes(self,", "def notes(self", "def notes(self"),
    Mistake("code-import-error", MODULE, "NOTE = {", "import nonesuch_lib\n\nNOTE = {", "nonesuch"),
    Mistake("code-no-plugin", MODULE, "plugin = AdaNotes", "plug = AdaNotes", line=1),
    Mistake(
        "code-instance-not-class", MODULE, "plugin = AdaNotes", "plugin = AdaNotes(None)", "(None)"
    ),
    Mistake("code-imports-host", MODULE, "NOTE = {", "import host.app\n\nNOTE = {", "host.app"),
    Mistake(
        "code-work-at-import",
        MODULE,
        "NOTE = {",
        "import threading\nthreading.Thread(target=print, daemon=True).start()\n\nNOTE = {",
        "target=print",
    ),
    in_class(
        "code-own-init-without-super",
        "def __init__(self, context):\n    self.mine = context",
        "__init__",
    ),
    Mistake("code-async", MODULE, "def notes(self", "async def notes(self", "async def"),
    in_class("code-crash", "def enable(self):\n    raise SystemExit(3)", "SystemExit"),
    in_class("hook-signature", "def enable(self, now):\n    return None", "def enable"),
    in_class("hook-misspelled", "def enabled(self):\n    return None", "def enabled"),
    in_class(
        "capability-missing",
        "def count(self):\n    return self.context.db.value('SELECT 1')",
        "context.db",
    ),
    Mistake("permission-undeclared", MODULE, ':write", body', ':wrote", body', ":wrote"),
    Mistake("setting-undeclared", MODULE, '"maxNotes"', '"maxNote"', '"maxNote"'),
    in_class("event-foreign-name", "def tell(self):\n    self.context.events.emit('notes.x')",
             "notes.x"),
    in_class("event-pattern", "@event_handler('Rooms')\ndef heard(self, event):\n    return None",
             "@event_handler"),
    in_class("job-unknown", "def go(self):\n    self.context.jobs.start('count')", "jobs.start"),
    in_class("job-twice", "@job('a')\ndef one(self, run):\n    return 1\n\n"
             "@job( 'a')\ndef two(self, run):\n    return 2", "@job( 'a')"),
    in_class("job-invalid", "@job('a', attempts=0)\ndef one(self, run):\n    return 1", "@job"),
    Mistake(
        "migration-twice",
        MODULE,
        CLASS,
        method("@migration('1')\ndef one(self, db):\n    return None\n\n"
               "@migration( '1')\ndef two(self, db):\n    return None"),
        "@migration( '1')",
    ),
    Mistake("sdk-name", MODULE, "from plugin_sdk import Conflict, Plugin",
            "from plugin_sdk import Conflict, Plugins", "Plugins"),
    Mistake("decorator-argument", MODULE, ':write", body=NOTE', ':write", boddy=NOTE', "boddy"),
    Mistake("route-method", MODULE, '"DELETE", "/notes"', '"DELET", "/notes"', "DELET"),
    in_class("contribution-kind", "def pages(self):\n    return ['/board']", "def pages"),
    in_class("filter-foreign",
             "def filters(self):\n    return [RequestFilter(('/api',), lambda request: None)]",
             "def filters"),
    Mistake("route-path", MODULE, '"GET", "/notes"', '"GET", "/notes/"', '"/notes/"'),
    in_class(
        "route-twice",
        "@route('GET', '/x', summary='X')\ndef one(self, request):\n    return 1\n\n"
        "@route( 'GET', '/x', summary='X')\ndef two(self, request):\n    return 2",
        "@route( 'GET'",
    ),
    Mistake("route-undocumented", MODULE, WRITE, "\n", '"POST"'),
    Mistake("route-handler-arguments", MODULE, "def clear(self, request: Request)",
            "def clear(self)", '"DELETE"'),
    Mistake("route-schema-invalid", MODULE, 'NOTE = {\n    "type": "object"',
            'NOTE = {\n    "type": "objekt"', '"POST"'),
    in_class(
        "provider-undeclared",
        "def providers(self):\n    return [Provider('metadata', 'books', object())]",
        "def providers",
    ),
    in_class("print-used", "def tell(self):\n    print('hello')", "print("),
    in_class("exception-swallowed",
             "def tell(self):\n    try:\n        self.go()\n    except Exception:\n        pass",
             "except Exception"),
    Mistake("sleep-in-handler", MODULE, WRITE, WRITE + "        time.sleep(1)\n", "time.sleep"),
    in_class("sql-from-f-string",
             "def find(self, x):\n    return self.context.db.query(f'SELECT a FROM b WHERE c={x}')",
             "SELECT"),
    in_class("absolute-path", "def read(self):\n    return open('/home/ada/notes.txt')",
             "/home/ada"),
    Mistake("tests-missing", "tests/test_ada_notes.py", "", "", found_in="tests"),
    Mistake("readme-missing", "README.md", "", ""),
    Mistake("packaging-toml", PROJECT, 'build-backend = "', "build-backend = ", "build-backend"),
    Mistake("entry-point-missing", PROJECT, 'entry-points."stagebox.plugins"',
            'entry-points."stagebox.plugin"', "[project]"),
    Mistake("entry-point-name", PROJECT, '"ada.notes" =', '"notes" =', '"notes" ='),
    Mistake("entry-point-target", PROJECT, '"ada_notes:plugin"', '"notes:plugin"', '"notes:'),
    Mistake("manifest-not-packed", PROJECT, '["ada_notes"]', '["notes"]', "packages ="),
    Mistake("version-differs", PROJECT, 'dynamic = ["version"]', 'version = "9.9.9"', "9.9.9"),
]  # fmt: skip

MORE_IMPORTS = "import time\n\nfrom plugin_sdk import (Provider, "
MORE_IMPORTS += "RequestFilter, event_handler, job, migration)\n"


NEED_RUNNING = frozenset(
    {"code-import-error", "contribution-kind", "filter-foreign", "route-method",
     "code-work-at-import", "code-crash", "event-pattern", "job-twice",
     "job-invalid", "migration-twice", "provider-not-returned", "provider-undeclared",
     "route-handler-arguments", "route-path", "route-schema-invalid", "route-twice",
     "route-undocumented"}
)  # fmt: skip


def write_project(folder: Path) -> Path:
    scaffold("ada.notes", folder)
    module = folder / MODULE
    text = module.read_text()
    module.write_text(text.replace("from typing", MORE_IMPORTS + "from typing", 1))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "notes")


def test_every_rule_has_a_mistake_and_says_what_to_do():
    assert sorted(mistake.rule for mistake in MISTAKES) == sorted(RULES)
    assert len(RULES) >= 30
    for rule in RULES.values():
        assert rule.hint.endswith("."), rule.name


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.rule)
def test_a_mistake_is_found(project, mistake):
    line = mistake.make(project)
    report = check_plugin(project, run=mistake.rule in NEED_RUNNING, timeout=100)
    found = [each for each in report.findings if each.rule.name == mistake.rule]
    assert found, [each.as_json() for each in report.findings]
    assert len(found) == 1
    assert found[0].file == (mistake.found_in or mistake.file)
    assert found[0].line == line
    assert len(found[0].message) > 10


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir()))
def test_the_examples_have_no_findings(name):
    report = check_plugin(EXAMPLES / name, timeout=100)
    assert [each.as_json() for each in report.findings] == []


def test_a_new_plugin_has_no_findings(tmp_path):
    scaffold("ada.my-notes", tmp_path / "notes")
    for path in (tmp_path / "notes", tmp_path / "notes" / "ada_my_notes"):
        report = check_plugin(path, timeout=100)
        assert (report.plugin_id, report.findings) == ("ada.my-notes", ())


def test_the_command_tells_people_and_programs(project):
    run = CliRunner().invoke
    (project / "README.md").unlink()
    done = run(main, ["plugin", "check", "--no-run", str(project)])
    assert done.exit_code == 0, "warnings alone are no failure"
    assert done.output.startswith("README.md: warning readme-missing: There is no README.\n    Add")
    assert done.output.endswith("0 errors, 1 warning\n")
    (project / MANIFEST).write_text("{")
    done = run(main, ["plugin", "check", "--json", "--no-run", str(project)])
    assert done.exit_code == 1
    document = json.loads(done.output)
    assert (document["errors"], document["warnings"]) == (1, 1)
    assert document["findings"][0] == {
        "rule": "manifest-json",
        "severity": "error",
        "message": document["findings"][0]["message"],
        "file": MANIFEST,
        "line": 1,
        "column": 2,
        "hint": RULES["manifest-json"].hint,
    }


def test_members_of_json_have_lines():
    text = '{\n "a": [1,\n  {"b": "x, {y}"}],\n "c":\n  {"d\\u0065": []}\n}'
    lines = lines_of_members(text)
    assert json.loads(text)["c"] == {"de": []}
    expected = {"a": 2, "a.0": 2, "a.1": 3, "a.1.b": 3, "c": 4, "c.de": 5}
    assert {name: lines[name] for name in expected} == expected
    assert lines_of_members("[]") == {}


BEGINNERS = [
    "manifest-missing", "manifest-json", "manifest-missing-key", "manifest-unknown-key",
    "manifest-version", "settings-default-unfit", "permission-foreign-name", "page-missing",
    "code-syntax", "code-import-error", "code-no-plugin", "code-instance-not-class",
    "code-own-init-without-super", "code-crash", "hook-signature", "hook-misspelled",
    "permission-undeclared", "job-twice", "route-path", "route-handler-arguments",
]  # fmt: skip


def test_twenty_beginners_mistakes_give_twenty_hints_and_none_stops_the_host(tmp_path, make_host):
    assert len(set(BEGINNERS)) == 20
    host = make_host()
    by_rule = {mistake.rule: mistake for mistake in MISTAKES}
    hints = set()
    for name in BEGINNERS:
        project = write_project(tmp_path / name)
        by_rule[name].make(project)
        report = check_plugin(project, run=name in NEED_RUNNING, timeout=100)
        (finding,) = (each for each in report.findings if each.rule.name == name)
        assert finding.file
        assert finding.line
        hints.add(finding.rule.hint)
        install(host, project / "ada_notes")
        assert host.get("/api/health").status == 200, name
    assert len(hints) == 20
    install(host, write_project(tmp_path / "good") / "ada_notes")
    assert host.get("/api/plugins/ada.notes/notes").json() == [], "and a good one still starts"


def install(host: TestHost, folder: Path) -> None:
    """As an administrator would: what is refused is refused with a sentence."""
    try:
        host.host.plugins.install(folder, accept_additions=True)
        host.enable("ada.notes")
    except StageboxError as error:
        assert error.message  # noqa: PT017  # some are refused, some start
