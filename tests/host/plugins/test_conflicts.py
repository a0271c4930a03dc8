"""What two plugins claim belongs to whoever was there."""

from __future__ import annotations

import shutil

import pytest

GOOD = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": "world"}
"""


def test_the_newcomer_loses_a_prefix_and_keeps_losing_it_after_a_restart(make_host, write_plugin):
    host = make_host(write_plugin("zz_first", GOOD, routes={"prefix": "/mine"}))
    folder = write_plugin("aa_second", GOOD, routes={"prefix": "/mine"})
    shutil.copytree(folder, host.data_dir / "plugins" / "aa_second")
    entry = host.enable("aa_second")
    assert entry.fault is not None
    assert entry.fault.code == "ROUTE_CONFLICT"
    host.restart()
    assert host.entry("zz_first").state == "active"
    assert host.entry("aa_second").state == "errored"
    assert host.get("/mine/hello").status == 200


@pytest.mark.parametrize(
    "prefix", ["/api/plugin-data", "/api", "/api/meta/mine", "/api/auth/login"]
)
def test_no_prefix_may_touch_that_of_another(prefix, make_host, write_plugin):
    host = make_host(write_plugin("greedy", GOOD, routes={"prefix": prefix}))
    fault = host.entry("greedy").fault
    assert fault is not None
    assert fault.code == "ROUTE_CONFLICT"
    assert host.get("/api/health").status == 200


def test_a_folder_cannot_take_the_id_of_a_built_in_plugin(make_host, write_plugin, tmp_path):
    mark = tmp_path / "ran"
    folder = write_plugin("realtime", f"open({str(mark)!r}, 'w').close()", version="9.9.9")
    host = make_host()
    shutil.copytree(folder, host.data_dir / "plugins" / "realtime")
    host.restart()
    entry = host.get("/api/plugins/realtime").json()
    assert (entry["source"], entry["state"], entry["version"]) == ("built-in", "active", "1.0.0")
    (lost,) = entry["conflicts"]
    assert lost["source"] == "folder"
    assert "realtime" in lost["message"]
    assert not mark.exists()


def test_a_provider_belongs_to_whoever_was_there(make_host, write_plugin):
    code = """
        from plugin_sdk import Plugin, Provider
        class plugin(Plugin):
            def providers(self): return [Provider("storage", "local", object())]
    """
    providers = [{"type": "storage", "name": "local"}]
    host = make_host(write_plugin("usurper", code, providers=providers))
    fault = host.entry("usurper").fault
    assert fault is not None
    assert fault.code == "PROVIDER_CONFLICT"
    assert "local_storage" in fault.message
    assert host.get("/api/plugins/providers").json()["storage"][0]["pluginId"] == "local_storage"
