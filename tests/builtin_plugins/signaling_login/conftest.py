"""Signaling servers on real sockets, each misbehaving as it is told, and a plugin beside them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import builtin_plugins.signaling_login as signaling_login
from builtin_plugins.signaling_login.provider import SignalingLogin
from plugin_sdk import Forbidden, Login, NotFound
from plugin_sdk.testing import FakeContext, request

FOLDER = Path(signaling_login.__file__).parent
ALICE = {"id": "user-alice-01", "username": "alice", "displayName": "Alice"}
PASSWORD = "correct horse battery staple"
SERVER = "https://signal.example.com"
OTHER = "https://other.example.com/path"
BODY = {"username": "alice", "password": "right", "serverUrl": SERVER}


@dataclass
class Asked:
    """A request as it arrived."""

    line: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Signaling:
    """A server on a free port. ``behaviour`` gets each connection after its request was read,
    and ``over``, which is set when the test ends."""

    behaviour: Callable[[socket.socket, Asked, threading.Event], object]
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def stop(self) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                asked = _read(connection)
                if asked is not None:
                    self.asked.append(asked)
                    self.behaviour(connection, asked, self.over)
            except OSError:
                pass  # the client has left


def _read(connection: socket.socket) -> Asked | None:
    with connection.makefile("rb") as stream:
        line = stream.readline().decode("latin-1").strip()
        headers: dict[str, str] = {}
        while (text := stream.readline().decode("latin-1").strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        if not line:
            return None
        return Asked(line, headers, stream.read(int(headers.get("content-length", "0"))))


def answering(
    status: int = 200, body: bytes | dict[str, Any] = b"", *, head: str = ""
) -> Callable[..., object]:
    """Answers each request alike and closes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def behave(connection: socket.socket, _asked: Asked, _over: threading.Event) -> None:
        text = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(content)}\r\n{head}"
        connection.sendall(text.encode() + b"Connection: close\r\n\r\n" + content)

    return behave


def vouching(connection: socket.socket, asked: Asked, over: threading.Event) -> None:
    """Lets alice in with her password; has a token of its own to drop."""
    if asked.json() == {"username": "alice", "password": PASSWORD}:
        answering(200, {**ALICE, "token": "server-side-token", "more": [1]})(
            connection, asked, over
        )
    else:
        answering(401, {"error": "no"})(connection, asked, over)


def silent(_connection: socket.socket, _asked: Asked, over: threading.Event) -> None:
    over.wait(200)


def dripping(connection: socket.socket, _asked: Asked, over: threading.Event) -> None:
    """A good head, then a byte now and then for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not over.wait(0.05):
        connection.sendall(b" ")


@pytest.fixture
def signaling() -> Iterator[Callable[..., Signaling]]:
    started: list[Signaling] = []

    def start(behaviour: Callable[..., object] = vouching) -> Signaling:
        server = Signaling(behaviour)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


class Api:
    """The part of host.api that is asked here: it grows once this process follows a switch."""

    def __init__(self) -> None:
        self.version = 1


class Plugins:
    """The part of host.plugins that is asked here: the same in all processes at once."""

    def __init__(self) -> None:
        self._switched = {"local_api": 0, "signaling_login": 1}

    def switch(self, plugin_id: str) -> None:
        self._switched[plugin_id] += 1

    def switched(self, plugin_id: str) -> int:
        return self._switched[plugin_id]


class Info:
    """The part of host.info that is asked here."""

    life = "first"
    outlived = False


class HostSettings:
    """The part of host.settings that is asked here."""

    def __init__(self) -> None:
        self.local_api: dict[str, Any] | None = {"exposeOnLan": False, "restrictToLocalUser": False}

    def values(self, plugin_id: str) -> Mapping[str, Any]:
        assert plugin_id == "local_api"
        if self.local_api is None:
            raise NotFound
        return self.local_api


class Store:
    """The part of plugin_data.store that is asked here."""

    def __init__(self) -> None:
        self.meta: dict[str, str] = {}

    def get_meta(self, key: str) -> str | None:
        return self.meta.get(key)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def plugins() -> Plugins:
    return Plugins()


@pytest.fixture
def info() -> Info:
    return Info()


@pytest.fixture
def host_settings() -> HostSettings:
    return HostSettings()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def context(
    api: Api, info: Info, plugins: Plugins, host_settings: HostSettings, store: Store
) -> Iterator[FakeContext]:
    with FakeContext.for_folder(FOLDER) as context:
        context.services.add("host.api", api)
        context.services.add("host.info", info)
        context.services.add("host.plugins", plugins)
        context.services.add("host.settings", host_settings)
        context.services.add("plugin_data.store", store)
        yield context


@pytest.fixture
def plugin(context: FakeContext) -> Iterator[signaling_login.SignalingLoginPlugin]:
    plugin = context.start(signaling_login.plugin)
    yield plugin
    context.stop(plugin)


@pytest.fixture
def provider(context: FakeContext, plugin: signaling_login.SignalingLoginPlugin) -> SignalingLogin:
    found = context.providers.get("auth", "signaling")
    assert isinstance(found, SignalingLogin)
    return found


@pytest.fixture
def allowed(context: FakeContext) -> None:
    """Two servers are on the list, and let alice in."""
    context.settings.update({"allowedSignalingServers": [SERVER, OTHER]})
    for server in (SERVER, OTHER):
        context.http.answer_json("POST", f"{server}/api/users/login", ALICE)


def login(provider: SignalingLogin, peer: str = "127.0.0.1", **changes: Any) -> Login:
    """Without a member that is ..."""
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not ...}
    return provider.login(body, request("POST", body=body, peer=peer))


def code_of(call: Any, error: type[Exception] = Forbidden) -> str:
    with pytest.raises(error) as caught:
        call()
    return caught.value.code  # type: ignore[attr-defined,no-any-return]
