from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from host.access import AccessService, canonical_permission
from plugin_sdk import (
    ADMIN,
    ANONYMOUS,
    CORE_PERMISSIONS,
    AuthProvider,
    DatabaseUnavailable,
    Forbidden,
    Invalid,
    Login,
    Permission,
    Principal,
    Request,
    StageboxError,
    Unauthenticated,
)

ALICE = Principal(
    id="profile-1",
    name="Alice",
    provider="pins",
    profile_id=1,
    permissions=frozenset({"UPLOAD", "themes:manage"}),
)
BOB = Principal(id="user-bob", name="Bob", provider="remote")
ROOT = Principal(id="profile-2", profile_id=2, permissions=frozenset({ADMIN}))


class Pins(AuthProvider):
    """An honest auth provider with one user."""

    name = "pins"
    key = "pin"
    principal = ALICE

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.asked: list[str] = []
        self.governing = False

    def claims(self, body: Mapping[str, Any]) -> bool:
        return self.key in body

    def login(self, body: Mapping[str, Any], request: Request) -> Login:
        if body[self.key] != "1234":
            raise Unauthenticated("Wrong.", code="INVALID_CREDENTIALS")
        token = f"{self.name}-{len(self.tokens)}"
        self.tokens.add(token)
        return Login(token, 1, self.principal)

    def identify(self, token: str) -> Principal | None:
        self.asked.append(token)
        return self.principal if token in self.tokens else None

    def logout(self, token: str) -> bool:
        found = token in self.tokens
        self.tokens.discard(token)
        return found

    def governs(self) -> bool:
        return self.governing


class Remote(Pins):
    name = "remote"
    key = "username"
    principal = BOB


class World:
    def __init__(self) -> None:
        self.pins, self.remote = Pins(), Remote()
        self.providers: Sequence[AuthProvider] = [self.pins, self.remote]
        self.verdict: Any = None
        self.questions: list[tuple[Principal, str, tuple[Any, ...]]] = []
        self.access = AccessService(
            providers=lambda: self.providers,
            decide=self._decide,
            available=lambda: [*CORE_PERMISSIONS, Permission("themes:manage", "x", "themes")],
            log=logging.getLogger("test"),
        )

    def _decide(self, principal: Principal, permission: str, resources: Sequence[Any]) -> Any:
        self.questions.append((principal, permission, tuple(resources)))
        if isinstance(self.verdict, BaseException):
            raise self.verdict
        return self.verdict

    def login(self, **body: str) -> Login:
        return self.access.login(body, Request())


@pytest.fixture
def world() -> World:
    return World()


def broken(*_args: object) -> Any:
    raise RuntimeError("hush-hush")


def exiting(*_args: object) -> Any:
    raise SystemExit(3)


# Login


def test_the_first_provider_that_claims_the_body_decides(world: World) -> None:
    assert world.login(pin="1234").principal is ALICE
    assert world.login(username="1234").principal is BOB
    assert world.login(pin="1234", username="1234").principal is ALICE
    with pytest.raises(Unauthenticated) as caught:
        world.login(pin="9999", username="1234")
    assert caught.value.code == "INVALID_CREDENTIALS"
    assert "WWW-Authenticate" not in caught.value.headers


def test_a_body_that_nobody_claims_is_invalid(world: World) -> None:
    with pytest.raises(Invalid, match="pins, remote"):
        world.login(name="x")
    world.providers = []
    with pytest.raises(Invalid, match="none"):
        world.login(pin="1234")


@pytest.mark.parametrize("fault", [broken, exiting])
def test_a_provider_that_fails_at_a_login_is_named_in_the_log_alone(
    world: World, caplog: pytest.LogCaptureFixture, fault: Any
) -> None:
    world.pins.login = fault  # type: ignore[method-assign]
    with pytest.raises(StageboxError) as caught:
        world.login(pin="1234")
    assert (caught.value.status, caught.value.code) == (500, "INTERNAL_ERROR")
    assert "hush" not in caught.value.message
    (record,) = caplog.records
    assert "pins" in record.getMessage()
    assert record.exc_info is not None


def test_a_provider_that_answers_nonsense_lets_nobody_in(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.pins.login = lambda body, request: {"token": "x"}  # type: ignore
    with pytest.raises(StageboxError):
        world.login(pin="1234")
    assert "pins answered a login with a dict" in caplog.text
    world.pins.claims = lambda body: "yes"  # type: ignore
    with pytest.raises(Invalid):
        world.login(pin="1234")


def test_a_provider_that_fails_to_look_is_passed_over(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.pins.claims = broken  # type: ignore[method-assign]
    assert world.login(pin="1", username="1234").principal is BOB
    assert "pins failed at looking at a login body" in caplog.text


# Tokens


def test_a_token_is_known_to_its_provider(world: World) -> None:
    token = world.login(username="1234").token
    assert world.access.identify(token, loopback=False) == (BOB, world.remote)
    assert world.access.identify("other", loopback=False) == (ANONYMOUS, None)


@pytest.mark.parametrize("fault", [broken, exiting])
def test_a_provider_that_fails_to_identify_is_passed_over(
    world: World, caplog: pytest.LogCaptureFixture, fault: Any
) -> None:
    pin_token, remote_token = world.login(pin="1234").token, world.login(username="1234").token
    world.pins.identify = fault  # type: ignore[method-assign]
    assert world.access.identify(remote_token, loopback=False)[0] is BOB
    assert world.access.identify(pin_token, loopback=True) == (ANONYMOUS, None)
    assert "pins failed at looking up a token" in caplog.text
    assert pin_token not in caplog.text.replace("pins failed", "")


def outage(*_: Any) -> Any:
    raise DatabaseUnavailable("The database at db.example does not answer.")


def test_in_an_outage_a_token_is_not_judged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    pin_token, remote_token = world.login(pin="1234").token, world.login(username="1234").token
    world.pins.identify = outage  # type: ignore[method-assign]
    for _ in range(20):
        assert world.access.identify(remote_token, loopback=False)[0] is BOB
        with pytest.raises(DatabaseUnavailable):
            world.access.identify(pin_token, loopback=False)
    (record,) = [each for each in caplog.records if "looking up" in each.getMessage()]
    assert "db.example does not answer" in record.getMessage()
    assert record.exc_info is None


def test_in_an_outage_no_token_ends_and_nobody_is_the_administrator(world: World) -> None:
    token = world.login(pin="1234").token
    world.pins.logout = world.pins.governs = outage  # type: ignore[method-assign,assignment]
    with pytest.raises(DatabaseUnavailable):
        world.access.logout(token)
    with pytest.raises(DatabaseUnavailable):
        world.access.identify(None, loopback=True)


def test_what_is_no_principal_lets_nobody_in(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.pins.identify = lambda token: {"id": "root"}  # type: ignore
    assert world.access.identify("x", loopback=False) == (ANONYMOUS, None)
    assert "pins identified a dict" in caplog.text


def test_logout_ends_exactly_that_token(world: World) -> None:
    one, two = world.login(pin="1234").token, world.login(pin="1234").token
    assert world.access.logout(one) is True
    assert world.access.logout(one) is False
    assert world.access.identify(two, loopback=False)[0] is ALICE


def test_logout_is_not_claimed_when_a_provider_failed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    token = world.login(username="1234").token
    world.pins.logout = broken  # type: ignore[method-assign]
    assert world.access.logout(token) is True
    with pytest.raises(StageboxError):
        world.access.logout("other")
    assert "pins failed at ending a token" in caplog.text


# The loopback rule


def test_a_fresh_host_is_the_local_administrator_s(world: World) -> None:
    principal, provider = world.access.identify(None, loopback=True)
    assert (principal.id, principal.name, principal.provider) == (
        "local",
        "Local administrator",
        "loopback",
    )
    assert principal.permissions == {ADMIN}
    assert principal.profile_id is None
    assert provider is None
    assert world.pins.asked == []


@pytest.mark.parametrize(
    ("token", "loopback", "ambient"),
    [(None, False, True), (None, True, False), ("x", True, True), ("x", False, True)],
)
def test_nobody_else_gets_in(
    world: World, token: str | None, loopback: bool, ambient: bool
) -> None:
    found = world.access.identify(token, loopback=loopback, ambient_allowed=ambient)
    assert found == (ANONYMOUS, None)


def test_the_rule_ends_as_soon_as_a_provider_governs(world: World) -> None:
    world.remote.governing = True
    assert world.access.identify(None, loopback=True) == (ANONYMOUS, None)
    assert world.access.identify("", loopback=True) == (ANONYMOUS, None)


@pytest.mark.parametrize("fault", [broken, exiting])
def test_a_provider_that_cannot_tell_counts_as_governing(world: World, fault: Any) -> None:
    world.pins.governs = fault  # type: ignore[method-assign]
    assert world.access.identify(None, loopback=True) == (ANONYMOUS, None)


# Permissions


def test_granted_permissions_decide_unless_a_plugin_does(world: World) -> None:
    allowed = world.access.permissions.allowed
    assert allowed(ALICE, "UPLOAD")
    assert allowed(ALICE, "themes:manage")
    assert not allowed(ALICE, "EDIT_TRACKS")
    assert allowed(ROOT, "EDIT_TRACKS")
    assert allowed(ROOT, "themes:manage")
    world.verdict = False
    assert not allowed(ALICE, "UPLOAD")
    assert not allowed(ROOT, "UPLOAD")
    world.verdict = True
    assert allowed(ALICE, "EDIT_TRACKS", "track-1", "track-2")
    assert world.questions[-1] == (ALICE, "EDIT_TRACKS", ("track-1", "track-2"))


@pytest.mark.parametrize("verdict", [RuntimeError("x"), SystemExit(1), "yes", 0])
def test_what_is_no_verdict_denies(world: World, verdict: Any) -> None:
    world.verdict = verdict
    assert not world.access.permissions.allowed(ROOT, "UPLOAD")


def test_names_are_canonical(world: World) -> None:
    assert canonical_permission("manage_Settings") == "MANAGE_SETTINGS"
    assert canonical_permission("Themes:Manage") == "themes:manage"
    assert world.access.permissions.allowed(ALICE, "upload")
    assert world.access.permissions.allowed(ALICE, "THEMES:MANAGE")
    assert [question[1] for question in world.questions] == ["UPLOAD", "themes:manage"]


def test_require_names_what_is_missing(world: World) -> None:
    require = world.access.permissions.require
    require(ALICE, "UPLOAD", "x")
    with pytest.raises(Forbidden) as caught:
        require(ALICE, "edit_tracks")
    assert caught.value.message == "Missing permission: EDIT_TRACKS"
    assert caught.value.code == "FORBIDDEN"
    world.verdict = True
    with pytest.raises(Unauthenticated):
        require(ANONYMOUS, "UPLOAD")


def test_available(world: World) -> None:
    names = [permission.name for permission in world.access.permissions.available()]
    assert names == [permission.name for permission in CORE_PERMISSIONS] + ["themes:manage"]


# Routes


@pytest.mark.parametrize(
    ("principal", "access", "permission", "expected"),
    [
        (ANONYMOUS, "open", None, None),
        (ANONYMOUS, "signed-in", None, "UNAUTHORIZED"),
        (ANONYMOUS, "profile", None, "UNAUTHORIZED"),
        (ANONYMOUS, "open", "UPLOAD", "UNAUTHORIZED"),
        (ANONYMOUS, "signed-in", "UPLOAD", "UNAUTHORIZED"),
        (BOB, "signed-in", None, None),
        (BOB, "profile", None, "PROFILE_REQUIRED"),
        (BOB, "profile", "UPLOAD", "PROFILE_REQUIRED"),
        (BOB, "signed-in", "UPLOAD", "FORBIDDEN"),
        (ALICE, "profile", None, None),
        (ALICE, "open", "UPLOAD", None),
        (ALICE, "signed-in", "themes:manage", None),
        (ALICE, "signed-in", "MANAGE_PLUGINS", "FORBIDDEN"),
        (ROOT, "signed-in", "themes:manage", None),
    ],
)
def test_who_gets_to_a_route(
    world: World, principal: Principal, access: Any, permission: str | None, expected: str | None
) -> None:
    if expected is None:
        world.access.authorise(principal, access, permission)
        return
    with pytest.raises(StageboxError) as caught:
        world.access.authorise(principal, access, permission)
    assert caught.value.code == expected
    if expected == "UNAUTHORIZED":
        assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    if expected == "FORBIDDEN":
        assert caught.value.message == f"Missing permission: {permission}"


def test_plugins_decide_about_routes_too(world: World) -> None:
    world.verdict = True
    world.access.authorise(BOB, "signed-in", "UPLOAD")
    world.verdict = False
    with pytest.raises(Forbidden):
        world.access.authorise(ALICE, "signed-in", "UPLOAD")


def test_no_plugin_keeps_an_administrator_from_switching_plugins_off(world: World) -> None:
    world.verdict = False
    world.access.authorise(ROOT, "signed-in", "MANAGE_PLUGINS")
    world.access.authorise(ROOT, "signed-in", "ADMIN")
    with pytest.raises(Forbidden):
        world.access.authorise(ROOT, "signed-in", "MANAGE_SETTINGS")
    manager = Principal(id="x", profile_id=3, permissions=frozenset({"MANAGE_PLUGINS"}))
    with pytest.raises(Forbidden):
        world.access.authorise(manager, "signed-in", "MANAGE_PLUGINS")
