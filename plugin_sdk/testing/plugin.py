"""Fixtures for pytest, there as soon as Stagebox is installed.

* ``fake_context``: a `plugin_sdk.testing.FakeContext` with all capabilities
* ``stagebox``: starts real hosts
* ``no_leaks``: fails a test that leaves a thread or an open socket behind

With ``stagebox_leak_guard = true`` in the pytest configuration every test is guarded by
``no_leaks``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from plugin_sdk.testing.context import FakeContext
from plugin_sdk.testing.hosts import PluginSource, RunningHost, StartHost, installed
from plugin_sdk.testing.leaks import Leaked, leak_check

__all__ = ["StartHost"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "stagebox_leak_guard",
        "Fail every test that leaves a thread or an open socket behind",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getini("stagebox_leak_guard"):
        config.pluginmanager.register(_LeakGuard(), "stagebox-leak-guard")


class _LeakGuard:
    """Registered only when asked for, so that nobody else's tests pay for it."""

    @pytest.fixture(autouse=True)
    def _stagebox_leak_guard(self, no_leaks: None) -> None:
        return no_leaks


@pytest.fixture
def fake_context() -> Iterator[FakeContext]:
    """A context in memory for the plugin ``example.test``, with all capabilities::

    def test_hello(fake_context):
        assert Hello(fake_context).hello(request()) == {"hello": "world"}
    """
    with FakeContext() as context:
        yield context


@pytest.fixture
def stagebox(tmp_path: Path) -> Iterator[StartHost]:
    """Starts a real host with these plugins, enabled, on a free port of this machine, over a data
    directory of its own; stops it after the test::

        def test_hello_answers(stagebox):
            host = stagebox("hello:plugin", settings={"example.hello": {"greeting": "Hi"}})
            assert host.get("/api/plugins/example.hello/hello").json() == {"hello": "world"}

    A plugin is its folder, ``"module:attribute"``, or the class. Give ``data_dir`` to start a
    second host over the data of a first. See `plugin_sdk.testing.RunningHost`.
    """
    start_host = installed("host")
    numbers = itertools.count(1)
    with ExitStack() as running:

        def start(
            *plugins: PluginSource,
            settings: Mapping[str, Mapping[str, Any]] | None = None,
            config: Mapping[str, Any] | None = None,
            data_dir: Path | None = None,
        ) -> RunningHost:
            folder = data_dir or tmp_path / f"stagebox-{next(numbers)}"
            sources: Sequence[PluginSource] = plugins
            host = start_host(folder, plugins=sources, settings=settings, config=config)
            entered: RunningHost = running.enter_context(host)
            return entered

        yield start


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fails the test when it leaves a thread or an open socket behind. Name it first among the
    fixtures of a test, so that it looks last."""
    try:
        with leak_check():
            yield
    except Leaked as leaked:
        pytest.fail(str(leaked), pytrace=False)
