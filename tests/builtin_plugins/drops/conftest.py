"""A real host whose documents are fresh for each test; the plugin alone, with a document."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import builtin_plugins.drops as drops
from builtin_plugins.drops import Drops
from builtin_plugins.drops.keys import new_private_key, public_key_of
from builtin_plugins.drops.sealing import seal_pdu
from builtin_plugins.drops.wire import Message, wire_text
from host.testing import TestHost
from plugin_sdk import HttpReply
from plugin_sdk.testing import FakeContext

S_PRIV = bytes(range(0x01, 0x21))
S_PUB = "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
R_PRIV = bytes(range(0x21, 0x41))
R_PUB = "5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b"

BOX = "http://localhost:5000/1234567890123456789012345678901234567890123"
ALICE = {"alias": "Alice", "keys": {"private_key": S_PRIV.hex().upper()}, "drops": [BOX]}
BOB = {"alias": "Bob", "public_key": R_PUB, "my_identity": S_PUB}
FRESH = {"poll_interval": 1000, "drop_last_update": "", "module_data": {}}
EMPTY = {
    "accounts": [],
    "contacts": [],
    "identities": [],
    "drop_servers": [],
    "storage_servers": [],
    "storage_volumes": [],
    "module_data": {},
}
PATIENT = {"drops": {"boxTimeoutSeconds": 25}}
"""However busy the machine, a box that answers has not failed; requests may take 30 seconds."""


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


class Person:
    """A host with one identity, which reads one box."""

    def __init__(self, host: TestHost, server: TestHost) -> None:
        self.host = host
        self.server = server
        self.private = new_private_key()
        self.key = public_key_of(self.private)
        self.box = new_box(server)

    def identity(self) -> dict[str, Any]:
        return {"alias": "me", "keys": {"private_key": self.private}, "drops": [self.box]}

    def know(self, *people: Person, **changes: Any) -> None:
        contacts = [
            {
                "alias": "other",
                "public_key": each.key,
                "my_identity": self.key,
                "drop_urls": [each.box],
            }
            for each in people
        ]
        self.replace({"identities": [self.identity()], "contacts": contacts, **changes})

    def replace(self, document: dict[str, Any]) -> None:
        answer = self.host.post("/synced", json=document)
        assert answer.status == 200, answer.content

    def send(self, data: dict[str, Any], **message: Any) -> HttpReply:
        drop = {"model_object": "chat", "data": data, **message}
        body = {"recipients": [1], "sender": 1, "drop_message": drop}
        return self.host.post("/drop", json=body)

    def fetch(self, query: str = "") -> list[Any]:
        answer = self.host.get("/drop" + query)
        assert answer.status in (200, 204), answer.content
        if answer.status == 204:
            assert answer.content == b""
            return []
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        return answer.json()

    def receives(self, sender: Person, data: Any, time_stamp: int = 1, **changes: Any) -> bytes:
        """Puts a message into this person's box as a foreign client does; returns the PDU."""
        message = Message(time_stamp, sender.key, "chat", data, **changes)
        pdu = seal_pdu(bytes.fromhex(sender.private), bytes.fromhex(self.key), wire_text(message))
        self.drop(pdu)
        return pdu

    def drop(self, pdu: bytes) -> None:
        post(self.server, self.box, pdu)


def new_box(server: TestHost) -> str:
    return f"{server.url}/drops/{secrets.token_urlsafe(32)}"


def post(server: TestHost, box: str, pdu: bytes) -> None:
    path = box.removeprefix(server.url)
    headers = {"Authorization": "Client Qabel"}
    assert server.post(path, content=pdu, headers=headers).status == 200


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
def document() -> Any:
    """What /synced holds when the plugin starts; tests that need one override this."""
    return {}


@pytest.fixture
def context() -> Iterator[FakeContext]:
    with FakeContext.for_folder(Path(drops.__file__).parent) as context:
        context.services.add("host.info", Info())
        context.settings.update({"boxTimeoutSeconds": 60})  # of a real clock
        yield context


class Info:
    """The part of host.info that is asked here."""

    life = "first"


@pytest.fixture
def plugin(context: FakeContext, document: Any) -> Iterator[Drops]:
    plugin = context.start(Drops)
    if document:
        plugin._documents.replace("synced", document)
    yield plugin
    context.stop(plugin)
