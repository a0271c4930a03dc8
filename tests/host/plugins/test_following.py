"""Following what another process decided about plugins, whatever happens in between."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from host.plugins.wishes import WishStore
from host.testing import TestHost
from plugin_sdk import DatabaseUnavailable

CODE = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return 1
"""


def test_nothing_is_missed(
    make_host: Callable[..., TestHost],
    write_plugin: Callable[..., Any],
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a = make_host(write_plugin("folder", CODE))
    a.host.plugins.enable("folder")
    amid, read = ["disable"], WishStore.all

    def all_wishes(store: WishStore) -> Any:
        found = read(store)
        if store is not a.host.manager.wishes and amid:
            if amid.pop() == "disable":
                a.host.plugins.disable("folder")
            else:
                raise DatabaseUnavailable("Away for a moment.")
        return found

    monkeypatch.setattr(WishStore, "all", all_wishes)
    b = make_host()

    def answers() -> int:
        return b.get("/api/plugins/folder/hello").status

    assert amid == [], "it was switched off while the other one started"
    wait_until(lambda: answers() == 404)
    amid.append("fail")
    a.host.plugins.enable("folder")
    wait_until(lambda: answers() == 200)
    assert amid == [], "the first look failed"


def test_one_that_failed_here_is_tried_again_once_it_works_elsewhere(
    make_host: Callable[..., TestHost], write_plugin: Callable[..., Any]
) -> None:
    """A worker that answered "try again" has noted its success before the others look."""
    host = make_host()
    folder = write_plugin("folder", "raise RuntimeError('not yet')")
    host.host.plugins.install(folder)
    host.enable("folder")
    assert host.entry("folder").state == "errored"
    module = host.data_dir / "plugins" / "folder" / "__init__.py"
    module.write_text(textwrap.dedent(CODE))
    wishes = host.host.manager.wishes
    wishes.acted("folder", wishes.set("folder", True).version, "active", None)
    host.host.manager.follow()
    assert host.get("/api/plugins/folder/hello").json() == 1
