"""What all tests share: a real host in a temporary directory, and plugins written on the spot."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from builtin_plugins.accounts import hashing
from host.db.postgresql import probe, wire
from host.testing import TestHost
from tests.waiting import eventually

# A busy machine is no reason to fail, and every run tries the same examples: half as many as usual,
# since most run on both engines. STAGEBOX_TEST_EXAMPLES=1000 looks further.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    max_examples=int(os.environ.get("STAGEBOX_TEST_EXAMPLES", "50")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("steady")


CHEAP = {"MEMORY_KIB": 64, "PASSES": 1}
"""A hash as the contract wants it takes as long as half a start of a host."""


@pytest.fixture(scope="session", autouse=True)
def _cheap_secrets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CHEAP.items():
            patch.setattr(hashing, name, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def _patience_with_servers() -> Iterator[None]:
    """A server that says nothing for two seconds, and takes no connection in two more, counts as
    gone: a machine on which much else runs may be as slow. Who tests that sets less."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (probe, wire):
            patch.setattr(module, "SILENCE_SECONDS", 30.0)
        yield


@pytest.fixture
def write_plugin(tmp_path: Path) -> Callable[..., Path]:
    """Writes a plugin folder: ``write_plugin("hello", code, version="1.0.0", **manifest)``."""

    def write(plugin_id: str, code: str, *, into: Path | None = None, **manifest: Any) -> Path:
        folder = (into or tmp_path / "sources") / plugin_id
        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "id": plugin_id,
            "name": plugin_id.title(),
            "version": "1.0.0",
            "sdk": ">=1,<2",
            **manifest,
        }
        (folder / "plugin.json").write_text(json.dumps(document))
        (folder / "__init__.py").write_text(textwrap.dedent(code))
        return folder

    return write


@pytest.fixture
def make_host(tmp_path: Path) -> Iterator[Callable[..., TestHost]]:
    """Makes and starts hosts; all of them are stopped at the end."""
    hosts: list[TestHost] = []

    def make(*plugins: Any, data_dir: Path | None = None, **options: Any) -> TestHost:
        host = TestHost(data_dir or tmp_path / "data", plugins=plugins, **options)
        host.start()
        hosts.append(host)
        return host

    yield make
    for host in reversed(hosts):
        host.stop()


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """`tests.waiting.eventually`."""
    return eventually
