"""A process that starts while another one upgrades a plugin."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest

from plugin_sdk import Conflict

CODE = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/version", access="open")
        def version(self, request):
            return "new"
"""


def test_an_upgrade_under_way_is_not_undone(make_host, write_plugin, tmp_path):
    a = make_host(write_plugin("worker", CODE, into=tmp_path / "v1"))
    plugins = a.data_dir / "plugins"
    previous, incoming = plugins / ".previous-worker", plugins / ".incoming-abc"
    for folder in (previous, incoming):
        folder.mkdir()
    (previous / ".owner").write_text(a.host.jobs.owner)
    (previous / "__init__.py").write_text("the old code")
    b = make_host(data_dir=a.data_dir)
    assert previous.exists()
    assert incoming.exists()
    assert b.get("/api/plugins/worker/version").json() == "new"


def test_one_that_a_crash_cut_short_is_undone(make_host, write_plugin, tmp_path):
    a = make_host(write_plugin("worker", CODE, into=tmp_path / "v1"))
    a.stop()
    plugins = a.data_dir / "plugins"
    previous = plugins / ".previous-worker"
    previous.mkdir()
    (previous / ".owner").write_text(a.host.jobs.owner)
    (plugins / ".incoming-abc").mkdir()
    old = (plugins / "worker" / "__init__.py").read_text().replace('"new"', '"old"')
    (previous / "__init__.py").write_text(old)
    (previous / "plugin.json").write_text((plugins / "worker" / "plugin.json").read_text())
    b = make_host(data_dir=a.data_dir)
    assert not previous.exists()
    assert not (plugins / ".incoming-abc").exists()
    assert b.get("/api/plugins/worker/version").json() == "old"


def test_two_processes_do_not_upgrade_at_once(make_host, write_plugin, tmp_path):
    a = make_host(write_plugin("worker", CODE, into=tmp_path / "v1"))
    b = make_host(data_dir=a.data_dir)
    newer = write_plugin(
        "worker", CODE.replace("new", "newer"), into=tmp_path / "v2", version="2.0.0"
    )
    previous = a.host.installer._upgrades._begin("worker")
    with pytest.raises(Conflict) as refused:
        b.host.installer.install(newer)
    assert refused.value.code == "UPGRADE_UNDER_WAY"
    assert (previous / ".owner").read_text() == a.host.jobs.owner
    assert not list((a.data_dir / "plugins").glob(".incoming-*"))
    shutil.rmtree(previous)
    assert b.host.installer.install(newer).manifest.version == "2.0.0"


def test_what_a_dead_process_left_is_undone_before_the_next_upgrade(
    make_host, write_plugin, tmp_path
):
    host = make_host(write_plugin("worker", CODE, into=tmp_path / "v1"))
    previous = host.data_dir / "plugins" / ".previous-worker"
    previous.mkdir()
    (previous / ".owner").write_text("nobody")
    (previous / "left.py").write_text("")
    newer = write_plugin(
        "worker", CODE.replace("new", "newer"), into=tmp_path / "v2", version="2.0.0"
    )
    host.host.installer.install(newer)
    assert host.get("/api/plugins/worker/version").json() == "newer"
    assert not previous.exists()


def test_a_command_hears_what_became_of_what_it_left(make_host, write_plugin, monkeypatch):
    host = make_host().host
    host._watch.stop()  # the server comes when it is told to
    installer = host.installer
    source = write_plugin("worker", CODE)
    answer = installer.leave(source, accept_additions=True)
    assert installer.withdraw(answer), "nobody had begun with it"
    installer.take_left()
    assert not answer.exists()

    answer = installer.leave(source, accept_additions=True)
    with monkeypatch.context() as patch:
        patch.setattr(installer, "install", _full)
        installer.take_left()
    assert json.loads(answer.read_text()) == {
        "code": "INTERNAL_ERROR", "message": "The server could not: No space left on device.",
    }  # fmt: skip
    assert not installer.withdraw(answer)

    answer = installer.leave(source, accept_additions=True)
    installer.take_left()
    assert json.loads(answer.read_text()) == {}


def _full(source: Path, *, accept_additions: bool) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
