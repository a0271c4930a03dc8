"""A plugin that takes its time to start keeps nobody waiting."""

from __future__ import annotations

import pytest

SLOW = """
    import time
    from pathlib import Path
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        def enable(self):
            while Path(HELD).exists():
                time.sleep(0.02)

        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": "at last"}
"""


@pytest.mark.one_engine
def test_the_host_listens_before_a_slow_plugin_is_up(serve, write_plugin, tmp_path):
    plugins = tmp_path / "served" / "plugins"
    held = tmp_path / "slow"
    for name in ("quick", "slow"):
        write_plugin(name, SLOW.replace("HELD", repr(str(tmp_path / name))), into=plugins)
    served = serve()
    for name in ("quick", "slow"):
        assert served.command("plugin", "enable", name).returncode == 0
    served.stop()
    held.touch()
    served.start()
    assert served.client.get("/api/health").status_code == 200
    served.up("/api/plugins/quick/hello")
    early = served.client.get("/api/plugins/slow/hello")
    assert early.status_code == 404
    held.unlink()
    assert served.up("/api/plugins/slow/hello").client.get("/api/plugins/slow/hello").is_success
    assert served.stop() == 0
