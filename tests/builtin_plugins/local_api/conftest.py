"""Hosts with everybody who has a part in the local REST API; the plugin alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import builtin_plugins.local_api as local_api
from plugin_sdk.testing import FakeContext

FOLDER = Path(local_api.__file__).parent


class Host:
    """The part of host.info that is asked here."""

    version = "1.2.3"

    def __init__(self) -> None:
        self.bound_beyond_loopback = False

    def websocket_url(self) -> str | None:
        return None

    def exposed(self) -> bool:
        return self.bound_beyond_loopback

    def listeners(self) -> list[str]:
        return ["http://127.0.0.1:8085"]


@pytest.fixture(scope="module")
def bundled(bundled: Any) -> Any:
    return bundled and {*bundled, "api_docs", "plugin_data", "rooms", "signaling_login"}


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def context(host: Host) -> Iterator[FakeContext]:
    with FakeContext.for_folder(FOLDER) as context:
        context.services.add("host.info", host)
        yield context


@pytest.fixture
def plugin(context: FakeContext) -> Iterator[local_api.LocalApi]:
    plugin = context.start(local_api.plugin)
    yield plugin
    context.stop(plugin)
