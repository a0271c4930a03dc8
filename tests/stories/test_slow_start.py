"""A plugin that takes its time to start keeps nobody waiting."""

from __future__ import annotations

import shutil

import pytest

SLOW = """
    import threading
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        def enable(self):
            threading.Event().wait(6)

        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": "at last"}
"""
QUICK = SLOW.replace("threading.Event().wait(6)", "pass")


@pytest.mark.one_engine
def test_the_host_listens_before_a_slow_plugin_is_up(serve, write_plugin, tmp_path, wait_until):
    plugins = tmp_path / "served" / "plugins"
    write_plugin("quick", QUICK, into=plugins)
    write_plugin("slow", QUICK, into=plugins)
    served = serve()
    for name in ("quick", "slow"):
        assert served.command("plugin", "enable", name).returncode == 0
    served.stop()
    shutil.rmtree(plugins / "slow" / "__pycache__", ignore_errors=True)
    write_plugin("slow", SLOW, into=plugins)
    served.start()
    assert served.client.get("/api/health").status_code == 200
    assert served.client.get("/api/plugins/quick/hello").status_code == 200
    early = served.client.get("/api/plugins/slow/hello")
    assert early.status_code == 404
    wait_until(lambda: served.client.get("/api/plugins/slow/hello").status_code == 200)
    assert served.stop() == 0
