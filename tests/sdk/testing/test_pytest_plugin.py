"""The fixtures, as a plugin author's pytest sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

HOST = """
import threading

class Host:
    opened = []

    def __init__(self, data_dir, *, plugins, settings, config):
        self.given = (data_dir, plugins, settings, config)

    def __enter__(self):
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.stop.wait)
        self.thread.start()
        self.opened.append(self)
        return self

    def __exit__(self, *_):
        assert self.opened.pop() is self
        self.stop.set()
        self.thread.join()
"""

HOST_FILES = {
    "miniature.py": HOST,
    "miniature-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: miniature\nVersion: 1.0\n",
    "miniature-1.0.dist-info/entry_points.txt": "[stagebox.testing]\nhost = miniature:Host\n",
}

LEAKS = """
import socket, threading, pytest

def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, daemon=True).start()

kept = []

@pytest.fixture(scope="module", autouse=True)
def late():
    yield
    while kept:
        kept.pop().close()

def test_leaves_a_socket():
    kept.append(socket.socket())

def test_leaves_nothing():
    pass
"""


def test_a_fake_context_with_everything(run_pytest: Callable[..., Any]) -> None:
    outcome = run_pytest("""
        folders = []

        def test_one(fake_context):
            assert fake_context.plugin_id == "example.test"
            fake_context.data.set("a", 1)
            folders.append(fake_context.paths.data)
            fake_context.blobs.put("a", b"")
            fake_context.realtime.broadcast({"type": "a:b"})
            assert fake_context.http.requests == []

        def test_another(fake_context):
            assert fake_context.data.keys() == []
            assert not folders[0].exists()
    """)
    assert outcome.passed == {"test_one", "test_another"}, outcome.output


def test_hosts_are_started_and_stopped(run_pytest: Callable[..., Any]) -> None:
    source = """
        from miniature import Host

        def test_hosts(no_leaks, stagebox, tmp_path):
            first = stagebox("hello:plugin", settings={"hello": {"a": 1}})
            second = stagebox(config={"threads": 2}, data_dir=tmp_path)
            assert Host.opened == [first, second]
            assert first.given[1:] == (("hello:plugin",), {"hello": {"a": 1}}, None)
            assert first.given[0].parent == tmp_path
            assert stagebox().given[0] not in (tmp_path, first.given[0])
            assert second.given == (tmp_path, (), None, {"threads": 2})

        def test_all_are_stopped(no_leaks):
            assert Host.opened == []
    """
    outcome = run_pytest(source, files=HOST_FILES)
    assert outcome.passed == {"test_hosts", "test_all_are_stopped"}, outcome.output


def test_without_a_host_the_fixture_says_what_to_do(run_pytest: Callable[..., Any]) -> None:
    outcome = run_pytest(
        """
        import pytest

        @pytest.fixture(autouse=True)
        def nobody(monkeypatch):
            monkeypatch.setattr("plugin_sdk.testing.hosts.entry_points", lambda **_: [])

        def test_host(stagebox): pass
        """
    )
    assert "pip install stagebox" in outcome.failed["test_host"]


def test_leaks_are_found_where_asked_for(run_pytest: Callable[..., Any]) -> None:
    source = LEAKS.replace("def test_leaves_a_thread()", "def test_leaves_a_thread(no_leaks)")
    outcome = run_pytest(source)
    assert set(outcome.failed) == {"test_leaves_a_thread"}, outcome.output
    assert 'Left behind: the thread "' in outcome.failed["test_leaves_a_thread"]


def test_leaks_are_found_everywhere_by_an_ini_option(run_pytest: Callable[..., Any]) -> None:
    source = LEAKS.replace("def test_leaves_a_thread", "def unused")
    outcome = run_pytest(source, ini="stagebox_leak_guard = true\n")
    assert set(outcome.failed) == {"test_leaves_a_socket"}, outcome.output
    assert "the socket with file number" in outcome.failed["test_leaves_a_socket"]
    assert outcome.passed == {"test_leaves_nothing"}


def test_the_guard_looks_after_all_other_fixtures(run_pytest: Callable[..., Any]) -> None:
    source = """
        import socket, pytest

        @pytest.fixture
        def opened():
            with socket.socket() as opened:
                yield opened

        @pytest.fixture(scope="module")
        def shared():
            with socket.socket() as shared:
                yield shared

        def test_closed_in_time(opened): pass
        def test_not_ours(shared): pass
    """
    outcome = run_pytest(source, ini="stagebox_leak_guard = true\n")
    assert outcome.failed == {}, outcome.output


def test_the_guard_is_off_by_default(run_pytest: Callable[..., Any]) -> None:
    assert run_pytest(LEAKS).failed == {}


def test_fixtures_are_documented(run_pytest: Callable[..., Any]) -> None:
    outcome = run_pytest("def test_nothing(): pass", arguments=["--fixtures"])
    for name, says in (
        ("fake_context", "A context in memory"),
        ("stagebox", "Starts a real host"),
        ("no_leaks", "Fails the test when it leaves"),
    ):
        assert f"{name} -- " in outcome.output
        assert says in outcome.output
