"""Every way in which a plugin can fail: the host starts, the others answer, the record tells."""

from __future__ import annotations

import errno
import json
import shutil
import threading

import pytest

from host.plugins import starting
from host.plugins.starting import teardown
from host.plugins.wishes import CrashNote

GOOD = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": "world"}
"""

FAILURES = {
    "raises_at_import": ("raise RuntimeError('boom at import')", "IMPORT_ERROR", "boom at import"),
    "exits_at_import": ("import sys; sys.exit(3)", "IMPORT_ERROR", "sys.exit(3)"),
    "syntax_error": ("def broken(:\n    pass", "IMPORT_ERROR", "line 1"),
    "missing_module": ("import no_such_module_anywhere", "IMPORT_ERROR", "no_such_module"),
    "no_attribute": ("x = 1", "NOT_A_PLUGIN", 'no attribute "plugin"'),
    "wrong_class": ("class plugin: pass", "NOT_A_PLUGIN", "plugin_sdk.Plugin"),
    "check_complains": (
        """
        from plugin_sdk import Plugin
        class plugin(Plugin):
            def check(self): return ["ffmpeg is missing: install it"]
        """,
        "SETUP_ERROR",
        "ffmpeg is missing",
    ),
    "check_raises": (
        """
        from plugin_sdk import Plugin
        class plugin(Plugin):
            def check(self): raise ValueError("no check")
        """,
        "SETUP_ERROR",
        "check: ValueError: no check",
    ),
    "enable_raises_halfway": (
        """
        from plugin_sdk import Plugin, event_handler, job, route
        class plugin(Plugin):
            def enable(self):
                self.context.services.offer(self.context.plugin_id + ".half", object())
                raise OSError("half way")
            @route("GET", "/half", access="open")
            def half(self, request): return 1
            @job("half")
            def run_half(self, run): pass
            @event_handler("host.started")
            def started(self, event): pass
        """,
        "SETUP_ERROR",
        "enable: OSError: half way",
    ),
    "constructor_raises": (
        """
        from plugin_sdk import Plugin
        class plugin(Plugin):
            def __init__(self, context): raise KeyError("nope")
        """,
        "SETUP_ERROR",
        "constructor",
    ),
    "hook_with_wrong_arguments": (
        """
        from plugin_sdk import Plugin
        class plugin(Plugin):
            def decide(self, principal, wrong_name): return None
        """,
        "SETUP_ERROR",
        "wrong_name",
    ),
    "routes_give_nonsense": (
        """
        from plugin_sdk import Plugin
        class plugin(Plugin):
            def routes(self): return ["/not-a-route"]
        """,
        "SETUP_ERROR",
        "must give Route",
    ),
    "filters_of_a_stranger": (
        """
        from plugin_sdk import Plugin, RequestFilter
        class plugin(Plugin):
            def filters(self): return [RequestFilter(["/"], lambda request: None)]
        """,
        "SETUP_ERROR",
        "only bundled plugins",
    ),
    "route_reserved": (
        """
        from plugin_sdk import Plugin, route
        class plugin(Plugin):
            @route("GET", "/config")
            def config(self, request): return {}
        """,
        "ROUTE_CONFLICT",
        "reserved",
    ),
    "route_twice": (
        """
        from plugin_sdk import Plugin, route
        class plugin(Plugin):
            @route("GET", "/a/{x}")
            def one(self, request): return {}
            @route("GET", "/a/{y}")
            def two(self, request): return {}
        """,
        "ROUTE_CONFLICT",
        "declared twice",
    ),
    "undeclared_provider": (
        """
        from plugin_sdk import Plugin, Provider
        class plugin(Plugin):
            def providers(self): return [Provider("storage", "sneaky", object())]
        """,
        "PROVIDER_CONFLICT",
        "not declared",
    ),
    "bad_migration": (
        """
        from plugin_sdk import Plugin, migration
        class plugin(Plugin):
            @migration("001")
            def first(self, db): raise RuntimeError("migration broke")
        """,
        "SETUP_ERROR",
        "migration broke",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failing_plugin_is_named_and_harms_nobody(name, make_host, write_plugin):
    code, expected, text = FAILURES[name]
    host = make_host(write_plugin("good", GOOD), write_plugin("bad", code))
    entry = host.entry("bad").as_json()
    assert entry["state"] == "errored"
    assert entry["enabled"] is True
    assert entry["error"]["code"] == expected
    assert text in entry["error"]["message"]
    assert str(host.data_dir) not in entry["error"]["message"]
    assert len(entry["error"]["message"]) <= 300
    assert host.get("/api/plugins/good/hello").json() == {"hello": "world"}
    assert host.get("/api/plugins/bad/half").status == 404
    assert host.host.manager.catalog.plugins.keys() >= {"good"}
    assert "bad" not in host.host.manager.catalog.plugins


def test_nothing_stays_registered_of_a_plugin_that_failed_half_way(make_host, write_plugin):
    code, _, _ = FAILURES["enable_raises_halfway"]
    host = make_host(write_plugin("bad", code))
    host.enable("bad")
    owners = [owner for owner, _, _ in host.host.hooks.implementations("routes")]
    assert "plugin_admin" in owners
    assert "bad" not in owners
    assert host.host._services.find("bad.half", bundled=True) is None
    assert "/api/plugins/bad" not in json.dumps(host.get("/api/openapi.json").json())


def test_disable_is_called_to_undo_a_half_done_enable(make_host, write_plugin, tmp_path):
    mark = tmp_path / "undone"
    code = f"""
        from pathlib import Path
        from plugin_sdk import Plugin
        class plugin(Plugin):
            def enable(self): raise RuntimeError("no")
            def disable(self): Path({str(mark)!r}).touch()
    """
    make_host(write_plugin("bad", code))
    assert mark.exists()


def test_a_repaired_plugin_starts_when_it_is_enabled_again(make_host, write_plugin):
    host = make_host(write_plugin("fixme", "raise RuntimeError('broken')"))
    assert host.entry("fixme").state == "errored"
    write_plugin("fixme", GOOD, into=host.data_dir / "plugins")
    assert host.enable("fixme").state == "active"
    assert host.get("/api/plugins/fixme/hello").status == 200


def test_an_edited_plugin_is_read_afresh_by_disable_and_enable(make_host, write_plugin):
    host = make_host(write_plugin("edited", GOOD))
    write_plugin("edited", GOOD.replace("world", "again"), into=host.data_dir / "plugins")
    assert host.get("/api/plugins/edited/hello").json() == {"hello": "world"}
    host.disable("edited")
    host.enable("edited")
    assert host.get("/api/plugins/edited/hello").json() == {"hello": "again"}


def test_teardown_that_raises_does_not_keep_a_plugin_on(make_host, write_plugin):
    code = (
        GOOD
        + """
        def disable(self): raise RuntimeError("I stay")
    """
    )
    host = make_host(write_plugin("clingy", code))
    assert host.disable("clingy").state == "disabled"
    assert host.get("/api/plugins/clingy/hello").status == 404
    host.host.logs.flush()
    assert any("Disabling failed" in line["message"] for line in host.log_lines())


def test_a_hanging_start_is_quarantined_and_stays_so(
    make_host, write_plugin, monkeypatch, wait_until, tmp_path
):
    go = tmp_path / "go"
    hang = f"""
        import time
        from pathlib import Path
        from plugin_sdk import Plugin
        def hang():
            while not Path({str(go)!r}).exists():
                time.sleep(0.02)
        class plugin(Plugin):
    """
    code = f"{hang}        def enable(self): hang()\n"
    clings = f"""{hang}        def enable(self): raise OSError("half way")
            def disable(self): hang()
    """
    host = make_host(write_plugin("good", GOOD))
    for name, source in (("hangs", code), ("clings", clings)):
        shutil.copytree(write_plugin(name, source), host.data_dir / "plugins" / name)
    limits, waited = host.host.manager.limits, []
    host.host.settings.update("plugin_admin", {"setupTimeoutSeconds": 1})
    wait_until(lambda: limits.setup_timeout == 1)
    host.host.manager._serving = False
    entry = host.enable("hangs")
    host.host.manager._serving = True
    assert entry.state == "quarantined"
    wish = host.host.manager.wishes.get("hangs")
    assert wish.quarantine is None, "what is slow for a command is not taken from the server"
    assert host.enable("hangs").state == "quarantined"
    fault = host.entry("hangs").fault
    assert fault is not None
    assert fault.code == "SETUP_TIMEOUT"
    host.host.settings.update("plugin_admin", {"setupTimeoutSeconds": 60})
    wait_until(lambda: limits.setup_timeout == 60)

    def end_soon(plugin, log, timeout):
        waited.append(timeout)
        teardown(plugin, log, 0.2)

    with monkeypatch.context() as patch:  # it starts in its time, and does not end in its time
        patch.setattr(starting, "teardown", end_soon)
        assert host.enable("clings").state == "errored"
    assert waited == [60]
    host.host.logs.flush()
    assert any("Disabling did not end" in line["message"] for line in host.log_lines())
    host.disable("clings")
    assert host.get("/api/plugins/good/hello").status == 200
    go.touch()
    ours = {"start hangs", "plugin teardown"}
    wait_until(lambda: ours.isdisjoint(each.name for each in threading.enumerate()))
    host.restart()
    assert host.entry("hangs").state == "quarantined"
    assert host.disable("hangs").state == "disabled"


def test_a_full_disk_keeps_no_plugin_off(make_host, write_plugin, monkeypatch):
    """The note of who starts, which finds a killer, is not worth that."""

    def full(note: CrashNote, plugin_id: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    host = make_host(write_plugin("good", GOOD))
    host.disable("good")
    monkeypatch.setattr(CrashNote, "write", full)
    assert host.enable("good").state == "active"
    host.host.logs.flush()
    assert any("No note can be kept" in line["message"] for line in host.log_lines())


def test_sys_exit_in_a_route_is_an_answer(make_host, write_plugin):
    code = """
        import sys
        from plugin_sdk import Plugin, route
        class plugin(Plugin):
            @route("GET", "/exit", access="open")
            def exit(self, request): sys.exit(1)
            @route("GET", "/boom", access="open")
            def boom(self, request): raise RuntimeError("secret text")
    """
    host = make_host(write_plugin("exits", code))
    for path in ("exit", "boom"):
        reply = host.get(f"/api/plugins/exits/{path}")
        assert reply.status == 500
        assert reply.json()["error"] == "INTERNAL_ERROR"
        assert "secret" not in reply.content.decode()
        incident = reply.json()["incident"]
        assert any(line.get("incident") == incident for line in host.log_lines())
    assert host.entry("exits").state == "active"


def test_many_failures_quarantine_a_plugin(make_host, write_plugin, wait_until):
    code = """
        from plugin_sdk import Plugin, route
        class plugin(Plugin):
            @route("GET", "/boom", access="open")
            def boom(self, request): raise RuntimeError("again")
    """
    host = make_host(
        write_plugin("failing", code), settings={"plugin_admin": {"quarantineFailures": 5}}
    )
    for _ in range(5):
        host.get("/api/plugins/failing/boom")
    wait_until(lambda: host.get("/api/plugins/failing/boom").status == 404)
    assert host.entry("failing").state == "quarantined"
    host.restart()
    fault = host.entry("failing").fault
    assert fault is not None
    assert fault.code == "TOO_MANY_FAILURES"
    assert host.enable("failing").state == "active"


def test_dependencies_are_judged_and_awaited(make_host, write_plugin):
    host = make_host(
        write_plugin("base", GOOD, version="1.2.0"),
        write_plugin("needs", GOOD, requires=["base>=1.0"]),
        write_plugin("newer", GOOD, requires=["base>=2"]),
        write_plugin("lonely", GOOD, requires=["nowhere"]),
        write_plugin("ring_a", GOOD, requires=["ring_b"]),
        write_plugin("ring_b", GOOD, requires=["ring_a"]),
    )
    codes = {entry.id: entry.fault.code for entry in host.host.plugins.entries() if entry.fault}
    assert codes == {
        "newer": "DEPENDENCY_VERSION",
        "lonely": "DEPENDENCY_MISSING",
        "ring_a": "DEPENDENCY_CYCLE",
        "ring_b": "DEPENDENCY_CYCLE",
    }
    reply = host.post("/api/plugins/base/disable")
    assert reply.status == 409
    assert reply.json()["error"] == "HAS_DEPENDENTS"
    assert "needs" in reply.json()["message"]
    host.disable("needs")
    host.disable("base")
    entry = host.enable("needs")
    assert entry.fault is not None
    assert entry.fault.code == "DEPENDENCY_INACTIVE"
    host.enable("base")
    assert host.entry("needs").state == "active"


def test_wrong_manifests_are_listed_with_a_hint(make_host, write_plugin):
    host = make_host(
        write_plugin("typo", GOOD, frontent={}),
        write_plugin("future", GOOD, sdk=">=9"),
        write_plugin("greedy", GOOD, routes={"prefix": "/api/plugins"}),
        write_plugin("thief", GOOD, permissions=[{"name": "other:steal", "description": "x"}]),
    )
    faults = {entry.id: entry.fault for entry in host.host.plugins.entries() if entry.fault}
    assert faults["typo"].code == "MANIFEST_INVALID"
    assert 'did you mean "frontend"?' in faults["typo"].message
    assert host.entry("typo").state == "errored"
    assert host.entry("future").state == "incompatible"
    assert faults["greedy"].code == "ROUTE_CONFLICT"
    assert faults["thief"].code == "MANIFEST_INVALID"
    reply = host.get("/api/plugins/typo").json()
    assert reply["name"] == "Typo"
    assert reply["requires"] == []


def test_an_unreadable_record_of_wishes_keeps_third_party_plugins_off(make_host, write_plugin):
    host = make_host(write_plugin("third", GOOD))
    host.host.database.execute("ALTER TABLE _stagebox_wishes RENAME TO hidden")
    states = host.host.manager._all_wishes()
    assert states == {}
    assert any("stay off" in line["message"] for line in host.log_lines())
    host.host.database.execute("ALTER TABLE hidden RENAME TO _stagebox_wishes")
