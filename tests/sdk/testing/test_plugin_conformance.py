"""The plugin suite: a sound plugin passes, and each fault is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from plugin_sdk.testing import PluginSuite

MANIFEST: dict[str, Any] = {
    "id": "example.board",
    "name": "Board",
    "version": "1.0.0",
    "sdk": ">=1,<2",
    "capabilities": ["websocket", "commands", "realtime"],
    "permissions": [{"name": "example.board:edit", "description": "Edit the board"}],
    "providers": [{"type": "song_format", "name": "board"}],
    "settings": {"type": "object", "properties": {"maxSounds": {"default": 3}}},
    "frontend": {"scripts": ["static/board.js"]},
}

BOARD = '''
"""A board with everything that a plugin may bring."""

import threading

from plugin_sdk import (Argument, Page, Panel, Plugin, Provider, Response, command, event_handler,
    hookimpl, job, migration, route, websocket)

SOUND = {"type": "object", "properties": {"label": {"type": "string"}}}


class Format:
    name = "board"


class Board(Plugin):
    def enable(self):
        self.limit = self.context.settings["maxSounds"]
        self.rooms = self.context.services.get("rooms.store")
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.stop.wait)
        self.thread.start()

    def disable(self):
        self.stop.set()
        self.thread.join()

    @route("GET", "/sounds", query={"type": "object", "properties": {"q": {"type": "string"}}})
    def sounds(self, request):
        """All sounds."""

    @route("POST", "/sounds/{label}", body=SOUND, returns=SOUND, permission="example.board:edit")
    def add(self, request):
        """Adds a sound."""

    @route("GET", "/files/{rest:path}", permission="UPLOAD")
    def file(self, request):
        """A file of a sound."""

    @route("GET", "/page", documented=False)
    def page(self, request):
        return Response.html("")

    @websocket("/live")
    def live(self, connection):
        """What happens on the board."""
        self.context.realtime.broadcast({"type": "board:joined"})

    @event_handler("rooms.message_posted", "songs.*")
    def heard(self, event): ...

    @job("scan", every=60)
    def scan(self, run): ...

    @command("forget", Argument("label", "Which one"))
    def forget(self, io, label):
        """Forgets a sound."""

    def providers(self):
        return [Provider("song_format", "board", Format())]

    def pages(self):
        return [Page("/page", "Board"), Panel("/page", "Board")]


plugin = Board
'''

SUITE = """
from pathlib import Path
from plugin_sdk.testing import PluginSuite

class Test{name}(PluginSuite):
    plugin = "{name}:plugin"
    settings = {{"maxSounds": 2}}

    def prepare(self, context):
        context.services.add("rooms.store", object())
"""

# A host in miniature, offered by the entry point that a real one offers.
HOST = """
from contextlib import contextmanager
from dataclasses import replace
from plugin_sdk import HttpReply, Manifest, Route, parse_json
from plugin_sdk.management import PluginEntry, PluginFault
from plugin_sdk.testing import FakeContext
from importlib import import_module
from pathlib import Path
import inspect

class Host:
    def __init__(self, data_dir, *, plugins, settings, bundled=None):
        [source] = plugins
        self.plugin = import_module(source.partition(":")[0]).plugin
        self.folder = Path(inspect.getfile(self.plugin)).parent
        self.manifest = Manifest.from_json(parse_json((self.folder / "plugin.json").read_bytes()))
        assert settings == {"example.board": {"maxSounds": 2}}
        self.settings = settings[self.manifest.id]
        self.running = None

    def __enter__(self): return self
    def __exit__(self, *_): self.disable(self.manifest.id)

    def entry(self, state, fault=None):
        return PluginEntry(self.manifest.id, state, True, "folder", False, self.folder,
            self.manifest, {}, fault)

    def enable(self, plugin_id):
        if "refused" in self.manifest.name:
            return self.entry("errored", PluginFault("MANIFEST_INVALID", "refused by the schema"))
        self.context = FakeContext.for_folder(self.folder, settings=self.settings)
        self.context.services.add("rooms.store", object())
        self.running = self.context.start(self.plugin)
        return self.entry("active")

    def disable(self, plugin_id):
        if "once" in self.manifest.name:
            self.manifest = replace(self.manifest, name="refused")
        if self.running:
            self.context.stop(self.running)
        if "sticky" not in self.manifest.name:
            self.running = None
        return self.entry("disabled")

    def options(self, path):
        if "deaf" in self.manifest.name:
            return HttpReply(404, {}, b"")
        return HttpReply(200, {"allow": "GET, POST"}, b"")

    def request(self, method, path):
        assert path.startswith("/api/plugins/example.board/")
        return HttpReply(200 if self.running else 404, {}, b"")
"""

HOST += """

class Database:
    @contextmanager
    def transaction(self): yield

def open_database(folder): return Database()
"""

METADATA = "Metadata-Version: 2.1\nName: miniature\nVersion: 1.0\n"
ENTRY_POINTS = "[stagebox.testing]\nhost = miniature:Host\n"
ENTRY_POINTS += "database = miniature:open_database\n"


class Fault(NamedTuple):
    """Which test finds it, and what makes it: manifest members, or a piece of code replaced."""

    found_by: str
    manifest: dict[str, Any] = {}  # noqa: RUF012  # a NamedTuple's default, never changed
    old: str = ""
    new: str = ""


FAULTS = {
    "no_version": Fault("test_the_manifest_can_be_read", {"version": None}),
    "bad_version": Fault("test_the_manifest_can_be_read", {"version": "1"}),
    "unknown_key": Fault("test_the_manifest_can_be_read", {"frontent": {}}),
    "bad_capability": Fault("test_the_manifest_can_be_read", {"capabilities": ["databse"]}),
    "foreign_permission": Fault(
        "test_the_manifest_can_be_read",
        {"permissions": [{"name": "rooms:edit", "description": "Edit"}]},
    ),
    "missing_file": Fault(
        "test_the_manifest_can_be_read", {"frontend": {"scripts": ["static/bord.js"]}}
    ),
    "import_thread": Fault(
        "test_importing_it_does_nothing",
        old="SOUND =",
        new="threading.Thread(target=threading.Event().wait, daemon=True).start()\nSOUND =",
    ),
    "import_file": Fault(
        "test_importing_it_does_nothing",
        old="SOUND =",
        new="import tempfile\nopen(tempfile.gettempdir() + '/x', 'a').close()\nSOUND =",
    ),
    "import_socket": Fault(
        "test_importing_it_does_nothing",
        old="SOUND =",
        new="import socket\nwith socket.socket() as s: s.bind(('127.0.0.1', 0))\nSOUND =",
    ),
    "import_program": Fault(
        "test_importing_it_does_nothing",
        old="SOUND =",
        new="import subprocess, sys\nsubprocess.run([sys.executable, '-V'])\nSOUND =",
    ),
    "unknown_hook": Fault(
        "test_its_hooks_fit_their_specifications",
        old="    def providers(self):",
        new="    @hookimpl\n    def contributions(self): ...\n\n    def providers(self):",
    ),
    "wrong_argument": Fault(
        "test_its_hooks_fit_their_specifications",
        old="    def providers(self):",
        new="    def decide(self, principal, what): ...\n\n    def providers(self):",
    ),
    "mixed_in": Fault(
        "test_its_hooks_fit_their_specifications",
        old="class Board(Plugin):",
        new="class Mixin:\n    def decide(self, who): ...\n\n\nclass Board(Mixin, Plugin):",
    ),
    "undeclared_member": Fault(
        "test_what_it_uses_is_declared", {"capabilities": ["websocket", "commands"]}
    ),
    "undeclared_websocket": Fault(
        "test_contributions_need_declared_capabilities", {"capabilities": ["commands", "realtime"]}
    ),
    "undeclared_command": Fault(
        "test_contributions_need_declared_capabilities", {"capabilities": ["websocket", "realtime"]}
    ),
    "trailing_slash": Fault("test_route_paths_are_well_formed", old='"/page"', new='"/page/"'),
    "no_slash": Fault("test_route_paths_are_well_formed", old='"/page"', new='"page"'),
    "inner_path": Fault(
        "test_route_paths_are_well_formed", old="{rest:path}", new="{rest:path}/info"
    ),
    "converter": Fault("test_route_paths_are_well_formed", old="{label}", new="{label:int}"),
    "field_twice": Fault("test_route_paths_are_well_formed", old="{label}", new="{label}/{label}"),
    "live_field": Fault("test_route_paths_are_well_formed", old='"/live"', new='"/live/{room}"'),
    "route_twice": Fault(
        "test_routes_occur_once",
        old='@route("GET", "/page"',
        new='@route("POST", "/sounds/{id}", summary="x")\n    @route("GET", "/page"',
    ),
    "no_summary": Fault("test_routes_have_summaries", old='"""All sounds."""', new="..."),
    "no_live_summary": Fault(
        "test_routes_have_summaries", old='"""What happens on the board."""', new=""
    ),
    "no_request": Fault(
        "test_route_handlers_take_one_argument", old="def page(self, request)", new="def page(self)"
    ),
    "unknown_permission": Fault(
        "test_route_permissions_exist", old='"example.board:edit"', new='"example.board:write"'
    ),
    "open_permission": Fault(
        "test_route_permissions_exist",
        old='permission="UPLOAD"',
        new='permission="UPLOAD", access="open"',
    ),
    "bad_schema": Fault(
        "test_route_schemas_are_schemas", old='{"type": "string"}}}', new='{"type": {str}}}}'
    ),
    "query_array": Fault(
        "test_route_schemas_are_schemas",
        old='query={"type": "object"',
        new='query={"type": "array"',
    ),
    "undeclared_provider": Fault("test_providers_are_those_of_the_manifest", {"providers": []}),
    "missing_provider": Fault(
        "test_providers_are_those_of_the_manifest",
        old='[Provider("song_format", "board", Format())]',
        new="[]",
    ),
    "misnamed_provider": Fault(
        "test_providers_are_those_of_the_manifest", old='name = "board"', new='name = "bord"'
    ),
    "migration_twice": Fault(
        "test_migrations_have_names_of_their_own",
        {"capabilities": ["websocket", "commands", "realtime", "db"]},
        old="    def providers(self):",
        new=(
            "    @migration('1')\n    def one(self, db): ...\n\n"
            "    @migration('1')\n    def two(self, db): ...\n\n    def providers(self):"
        ),
    ),
    "job_argument": Fault(
        "test_jobs_have_names_of_their_own", old="def scan(self, run)", new="def scan(self)"
    ),
    "job_never": Fault("test_jobs_have_names_of_their_own", old="every=60", new="every=0"),
    "job_twice": Fault(
        "test_jobs_have_names_of_their_own",
        old="    def providers(self):",
        new="    @job('scan')\n    def again(self, run): ...\n\n    def providers(self):",
    ),
    "event_star": Fault("test_subscriptions_name_events", old='"songs.*"', new='"songs.*.added"'),
    "event_bare": Fault("test_subscriptions_name_events", old='"songs.*"', new='"songs"'),
    "no_help": Fault("test_commands_have_help", old='"""Forgets a sound."""', new="..."),
    "no_argument_help": Fault(
        "test_commands_have_help", old='Argument("label", "Which one")', new='Argument("label")'
    ),
    "lost_page": Fault("test_pages_are_routes", old='Page("/page"', new='Page("/pages"'),
    "lost_panel": Fault("test_pages_are_routes", old='Panel("/page"', new='Panel("/panel"'),
    "thread_left": Fault("test_switching_off_leaves_nothing", old="self.stop.set()", new="return"),
    "only_once": Fault(
        "test_it_can_be_switched_on_again",
        old="    def enable(self):",
        new="    begun = []\n\n    def enable(self):\n        self.begun.append(1)\n"
        "        assert len(self.begun) < 2",
    ),
    "refused": Fault("test_it_starts_and_stops_in_a_real_host", {"name": "refused"}),
    "sticky": Fault("test_it_starts_and_stops_in_a_real_host", {"name": "sticky"}),
    "once": Fault("test_it_starts_and_stops_in_a_real_host", {"name": "once"}),
    "deaf": Fault("test_it_starts_and_stops_in_a_real_host", {"name": "deaf"}),
}


def _package(name: str, fault: Fault) -> dict[str, str]:
    assert fault.old in BOARD
    document = {**MANIFEST, **fault.manifest}
    if document["version"] is None:
        del document["version"]
    code = BOARD.replace(fault.old, fault.new) if fault.old else BOARD
    if name == "thread_left":
        code = code.replace("target=self.stop.wait", "target=self.stop.wait, daemon=True")
    return {
        f"{name}/__init__.py": code,
        f"{name}/plugin.json": json.dumps(document),
        f"{name}/static/board.js": "",
        f"{name}/tests/test_board.py": "def test(context): context.db",
    }


HOST_FILES = {
    "miniature.py": HOST,
    "miniature-1.0.dist-info/METADATA": METADATA,
    "miniature-1.0.dist-info/entry_points.txt": ENTRY_POINTS,
}


def test_every_test_of_the_suite_has_a_fault() -> None:
    promises = {name for name in vars(PluginSuite) if name.startswith("test_")}
    assert {fault.found_by for fault in FAULTS.values()} == promises


def test_a_sound_plugin_passes(run_pytest: Callable[..., Any]) -> None:
    files = {**_package("board", Fault("")), **HOST_FILES}
    outcome = run_pytest(SUITE.format(name="board"), files=files)
    promises = {name for name in vars(PluginSuite) if name.startswith("test_")}
    assert outcome.passed == {f"Testboard.{name}" for name in promises}, outcome.output


def test_a_single_module_and_a_class_will_do(run_pytest: Callable[..., Any]) -> None:
    source = SUITE.format(name="board").replace('"board:plugin"', "board.Board")
    files = {
        name.replace("board/", ""): text for name, text in _package("board", Fault("")).items()
    }
    files["board.py"] = files.pop("__init__.py")
    del files["tests/test_board.py"]
    outcome = run_pytest("import board\n" + source, files={**files, **HOST_FILES})
    assert set(outcome.failed) == {"Testboard.test_it_starts_and_stops_in_a_real_host"}
    assert "partition" in outcome.output, "the miniature host takes a text only"


def test_libraries_may_be_excused(run_pytest: Callable[..., Any]) -> None:
    source = SUITE.format(name="import_socket") + "    import_allows = ('binds a socket',)\n"
    files = {**_package("import_socket", FAULTS["import_socket"]), **HOST_FILES}
    only = ["Testimport_socket::test_importing_it_does_nothing"]
    outcome = run_pytest(source, files=files, only=only)
    assert outcome.failed == {}


@pytest.fixture(scope="module")
def faults() -> dict[str, str]:
    files: dict[str, str] = {}
    for name, fault in FAULTS.items():
        files |= _package(name, fault)
    return files


def test_each_fault_is_found(run_pytest: Callable[..., Any], faults: dict[str, str]) -> None:
    source = "".join(SUITE.format(name=name) for name in FAULTS)
    only = [f"Test{name}::{fault.found_by}" for name, fault in FAULTS.items()]
    outcome = run_pytest(source, files={**faults, **HOST_FILES}, only=only)
    assert {each.replace(".", "::") for each in outcome.failed} == set(only), outcome.output
