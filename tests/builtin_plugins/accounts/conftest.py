"""Accounts in a real host, and over a real database in a fake context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import builtin_plugins.accounts as accounts
from host.testing import TestHost
from plugin_sdk import HttpReply
from plugin_sdk.testing import FakeContext

FOLDER = Path(accounts.__file__).parent


class People:
    """Profiles of a running host, and what is asked with their tokens."""

    def __init__(self, host: TestHost) -> None:
        self.host = host
        self.admin = ""
        """The token of the first profile, Admin, once `set_up` has run."""

    def set_up(self) -> None:
        reply = self.init()
        assert reply.status == 201, reply.content
        self.admin = self.token("Admin")

    def init(self, **changes: Any) -> HttpReply:
        body = {"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase", **changes}
        return self.host.post("/api/setup/init", json=body)

    def login(self, name: str, pin: str = "1234") -> HttpReply:
        return self.host.post("/api/auth/login", json={"profileName": name, "pin": pin})

    def token(self, name: str, pin: str = "1234") -> str:
        reply = self.login(name, pin)
        assert reply.status == 200, reply.content
        token: str = reply.json()["token"]
        return token

    def add(self, name: str, *permissions: str) -> tuple[int, str]:
        """Id and token of a new profile; with permissions it gets a group of its own."""
        body = {"name": name, "pin": "1234", "recoveryPhrase": f"phrase of {name}"}
        reply = self.host.post("/api/profiles", json=body, token=self.admin)
        assert reply.status == 201, reply.content
        profile_id: int = reply.json()["id"]
        if permissions:
            self.group(f"group of {name}", [profile_id], permissions)
        return profile_id, self.token(name)

    def group(self, name: str, ids: Any = (), permissions: Any = ()) -> int:
        body = {"name": name, "profileIds": list(ids), "permissions": list(permissions)}
        reply = self.host.post("/api/admin/permission-groups", json=body, token=self.admin)
        assert reply.status == 201, reply.content
        group_id: int = reply.json()["id"]
        return group_id

    def session(self, token: str) -> HttpReply:
        return self.host.get("/api/auth/session", token=token)

    def alive(self, token: str) -> bool:
        return self.session(token).status == 200


@pytest.fixture
def hashing_as_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are hashed as the contract wants it. Name it first."""
    monkeypatch.setattr(accounts.hashing, "MEMORY_KIB", 19 * 1024)
    monkeypatch.setattr(accounts.hashing, "PASSES", 2)


@pytest.fixture
def host(make_host: Callable[..., TestHost]) -> TestHost:
    """A host that is not set up."""
    return make_host()


@pytest.fixture
def set_up() -> Callable[[TestHost], People]:
    """Makes the first profile of a host, Admin, and signs it in."""

    def set_up(host: TestHost) -> People:
        people = People(host)
        people.set_up()
        return people

    return set_up


@pytest.fixture
def people(host: TestHost, set_up: Callable[[TestHost], People]) -> People:
    """A host that is set up; Admin is signed in."""
    return set_up(host)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """As ``people``, for tests that lock nobody, change no setting and leave Admin as he is."""
    with TestHost(tmp_path_factory.mktemp("accounts")) as host:
        people = People(host)
        people.set_up()
        yield people


@pytest.fixture
def clock_file(tmp_path: Path) -> Path:
    """Holds the seconds by which the clock of `moved_people` is off."""
    return tmp_path / "clock"


@pytest.fixture
def moved_people(
    make_host: Callable[..., TestHost], set_up: Callable[[TestHost], People], clock_file: Path
) -> People:
    """As ``people``, with a clock that `clock_file` moves."""
    return set_up(make_host(env={"STAGEBOX_TEST_CLOCK_OFFSET_FILE": str(clock_file)}))


@pytest.fixture
def context() -> Iterator[FakeContext]:
    with FakeContext.for_folder(FOLDER) as context:
        yield context


@pytest.fixture
def plugin(context: FakeContext) -> Iterator[accounts.Accounts]:
    """At work in a fake context, not set up."""
    plugin = context.start(accounts.plugin)
    yield plugin
    context.stop(plugin)
