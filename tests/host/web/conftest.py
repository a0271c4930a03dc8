"""A web layer with plugins made of routes, asked through its WSGI callable."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.validate import validator

import pytest

from host.logs import request_id
from host.plugins.catalog import Catalog, Endpoint, Published, WebSocketEndpoint
from host.plugins.gate import Gate, Slots
from host.web.exchange import RequestRecord
from host.web.layer import WebLayer
from host.web.login import login_endpoints
from plugin_sdk import (
    ADMIN,
    ANONYMOUS,
    Access,
    Forbidden,
    Invalid,
    Login,
    Plugin,
    Principal,
    Request,
    RequestFilter,
    Route,
    StageboxError,
    Unauthenticated,
    WebSocketRoute,
)
from plugin_sdk.manifest import Manifest
from plugin_sdk.testing import FakeClock, FakeLog

LOCAL = Principal(id="local", provider="loopback", permissions=frozenset({ADMIN}))
ALICE = Principal(id="profile-1", name="Alice", profile_id=1, permissions=frozenset({"x:edit"}))
GUEST = Principal(id="user-guest", name="Guest")


class FakeAccess:
    """Tokens in a dict; the loopback rule while ``governed`` is False."""

    def __init__(self) -> None:
        self.tokens: dict[str, Principal] = {"alice": ALICE, "guest": GUEST}
        self.governed = True
        self.broken = False
        self.logins: list[Mapping[str, Any]] = []

    def identify(
        self, token: str | None, *, loopback: bool, ambient_allowed: bool = True
    ) -> tuple[Principal, None]:
        if self.broken:
            raise RuntimeError("secret of the host")
        if token:
            return self.tokens.get(token, ANONYMOUS), None
        if loopback and ambient_allowed and not self.governed:
            return LOCAL, None
        return ANONYMOUS, None

    def authorise(self, principal: Principal, access: Access, permission: str | None) -> None:
        if access == "open" and permission is None:
            return
        if not principal.signed_in:
            raise Unauthenticated
        if access == "profile" and principal.profile_id is None:
            raise Forbidden("This is for profiles.", code="PROFILE_REQUIRED")
        if permission is not None and not principal.holds(permission):
            raise Forbidden(f"Missing permission: {permission}")

    def login(self, body: Mapping[str, Any], request: Request) -> Login:
        self.logins.append(body)
        if "name" not in body:
            raise Invalid("Nobody claims this body.")
        if body["name"] == "wrong":
            raise Unauthenticated("No.", code="INVALID_CREDENTIALS")
        self.tokens[body["name"]] = ALICE
        expires = FakeClock().ms() + 60_000
        return Login(body["name"], expires, ALICE, {"profile": {"id": 1}})

    def logout(self, token: str) -> bool:
        return self.tokens.pop(token, None) is not None


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes
    all_headers: Sequence[tuple[str, str]] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Site:
    """One layer and the means to publish plugins and to ask."""

    access: FakeAccess = field(default_factory=FakeAccess)
    clock: FakeClock = field(default_factory=FakeClock)
    log: FakeLog = field(default_factory=lambda: FakeLog("web"))
    records: list[RequestRecord] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    slots: Slots = field(default_factory=lambda: Slots(16, 12, 2))
    told: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    recording: bool = True
    """Whether there is an access log."""
    strict: bool = False
    """Whether wsgiref's validator stands between; it wants a Content-Type on every answer."""

    def __post_init__(self) -> None:
        self.catalog = Catalog()
        self.layer = WebLayer(
            self.access,
            self.log,
            request_id=request_id,
            host_routes=login_endpoints(
                self.access,
                self.clock,
                Gate("host", self.slots),
                lambda name, data: self.told.append((name, data)),
            ),
            allowed_hosts=lambda: frozenset(self.hosts),
            on_request=self.on_request,
            recording=lambda: self.recording,
        )

    def on_request(self, record: RequestRecord) -> None:
        self.records.append(record)

    def published(
        self,
        plugin_id: str,
        *routes: Route | WebSocketRoute,
        error_body: Callable[[StageboxError, Request], Any] | None = None,
        gate: Gate | None = None,
        plugin: Plugin | None = None,
        filters: Sequence[RequestFilter] = (),
        **manifest: Any,
    ) -> Published:
        document = {"id": plugin_id, "name": plugin_id, "version": "1.0.0", "sdk": ">=1"}
        checked = Manifest.from_json({**document, **manifest})
        gate = gate or Gate(plugin_id, self.slots)
        return Published(
            plugin_id,
            checked,
            gate,
            plugin,
            endpoints=tuple(
                Endpoint(plugin_id, checked.prefix + each.path, each, gate, error_body)
                for each in routes
                if isinstance(each, Route)
            ),
            websockets=tuple(
                WebSocketEndpoint(plugin_id, checked.prefix + each.path, each, gate)
                for each in routes
                if isinstance(each, WebSocketRoute)
            ),
            error_body=error_body,
            filters=tuple(filters),
        )

    def add(self, plugin_id: str, *routes: Route | WebSocketRoute, **more: Any) -> Published:
        """Publishes a plugin beside those that are there."""
        published = self.published(plugin_id, *routes, **more)
        self.publish(self.catalog.with_plugin(published))
        return published

    def remove(self, plugin_id: str) -> None:
        self.publish(self.catalog.without(plugin_id))

    def publish(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.layer.publish(catalog)

    def ask(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        json: Any = None,
        token: str | None = None,
        peer: str = "192.0.2.7",
        host: str | None = "localhost",
        **headers: str,
    ) -> Reply:
        """One request. ``Content_Type="..."`` and the like are headers."""
        environ = make_environ(method, target, peer=peer, host=host)
        if json is not None:
            body = dump(json)
            headers.setdefault("Content_Type", "application/json")
        if body is not None:
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
        return self.call(environ)

    def call(self, environ: dict[str, Any]) -> Reply:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return lambda _data: None

        application = validator(self.layer.gateway) if self.strict else self.layer.gateway
        chunks = application(environ, start_response)
        try:
            content = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = started[-1]
        return Reply(
            int(status[:3]), {name.lower(): value for name, value in headers}, content, headers
        )

    @staticmethod
    def environ(method: str, target: str, **more: Any) -> dict[str, Any]:
        return make_environ(method, target, **more)

    def get(self, target: str, **more: Any) -> Reply:
        return self.ask("GET", target, **more)

    def post(self, target: str, **more: Any) -> Reply:
        return self.ask("POST", target, **more)


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def make_environ(
    method: str, target: str, *, peer: str = "192.0.2.7", host: str | None = "localhost"
) -> dict[str, Any]:
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8085",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": peer,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if host is not None:
        environ["HTTP_HOST"] = host
    return environ


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def make_site() -> Callable[..., Site]:
    return Site


# A plugin x with one route

PATH = "/api/plugins/x/do"
CONTENT = bytes(range(256)) * 40
BODY = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(CONTENT)
    os.utime(path, ns=(1_000_000_000, 784_111_777_000_000_001))
    return path


def serve(site: Any, make: Any, method: Any = "GET") -> Any:
    return site.add("x", Route(method, "/do", lambda request: make(), access="open"))


def add(site: Any, handler: Any, method: Any = "GET", **more: Any) -> Any:
    error_body = more.pop("error_body", None)
    more.setdefault("access", "open")
    return site.add("x", Route(method, "/do", handler, **more), error_body=error_body)


def raiser(error: BaseException) -> Any:
    def handler(_request: Request) -> Any:
        raise error

    return handler
