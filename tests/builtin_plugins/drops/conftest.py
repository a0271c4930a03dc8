"""A real host whose documents are fresh for each test; the plugin alone, with a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import builtin_plugins.drops as drops
from builtin_plugins.drops import Drops
from host.testing import TestHost
from plugin_sdk import HttpReply
from plugin_sdk.testing import FakeContext

S_PRIV = bytes(range(0x01, 0x21)).hex()
S_PUB = "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
R_PRIV = bytes(range(0x21, 0x41)).hex()
R_PUB = "5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b"


class Client:
    """Asks a host as clients of this contract do."""

    def __init__(self, host: TestHost) -> None:
        self.host = host

    def put(self, path: str, key: Any, value: Any) -> HttpReply:
        return self.host.put(path, json={"key": key, "value": value})

    def post(self, path: str, document: Any) -> HttpReply:
        return self.host.post(path, json=document)

    def get(self, path: str) -> Any:
        answer = self.host.get(path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    def fails(self, answer: HttpReply, status: int, code: str) -> list[str]:
        """The paths of the details."""
        assert answer.status == status, answer.content
        body = answer.json()
        assert body["error"] == code
        assert body["message"].endswith(".")
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert answer.headers["cache-control"] == "no-store"
        if status == 405:
            assert answer.headers["allow"].startswith("GET, HEAD, P")
        return [each["path"] for each in body.get("details", ())]


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    with TestHost(tmp_path_factory.mktemp("drops")) as host:
        yield host


@pytest.fixture
def client(shared_host: TestHost) -> Client:
    client = Client(shared_host)
    assert client.post("/settings", {"poll_interval": 0}).status == 200
    assert client.post("/synced", {}).status == 200
    return client


@pytest.fixture
def client_of() -> Callable[[TestHost], Client]:
    return Client


@pytest.fixture
def document() -> Any:
    """What /synced holds when the plugin starts; tests that need one override this."""
    return {}


@pytest.fixture
def context() -> Iterator[FakeContext]:
    with FakeContext.for_folder(Path(drops.__file__).parent) as context:
        yield context


@pytest.fixture
def plugin(context: FakeContext, document: Any) -> Iterator[Drops]:
    plugin = context.start(Drops)
    if document:
        plugin._documents.replace("synced", document)
    yield plugin
    context.stop(plugin)
