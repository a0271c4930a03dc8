"""Providers, services, hooks and permissions in memory."""

from __future__ import annotations

from typing import Any

import pluggy
import pytest

from plugin_sdk import (
    ADMIN,
    ANONYMOUS,
    CORE_PERMISSIONS,
    Forbidden,
    Invalid,
    NotFound,
    Permission,
    ProviderEntry,
    ProviderUnavailable,
    Unauthenticated,
    hookimpl,
    hookspec,
)
from plugin_sdk.testing import FakeContext, FakeProviders, signed_in


@pytest.fixture
def context() -> FakeContext:
    declared = [Permission("example.board:z", "Z"), Permission("example.board:a", "A")]
    return FakeContext("example.board", permissions=declared)


def test_the_first_provider_is_active_until_another_is_chosen() -> None:
    providers = FakeProviders()
    with pytest.raises(ProviderUnavailable, match="song_format"):
        providers.active("song_format")
    providers.add("song_format", "one", "ONE")
    providers.add("other", "x", "X")
    providers.add("song_format", "two", "TWO", plugin_id="songs")
    assert providers.active("song_format") == "ONE"
    assert providers.get("song_format", "two") == "TWO"
    assert providers.chain("song_format") == ["ONE", "TWO"]
    providers.choose("song_format", "two")
    assert providers.active("song_format") == "TWO"
    assert providers.chain("song_format") == ["TWO", "ONE"]
    assert providers.entries("song_format") == [
        ProviderEntry("song_format", "two", "songs", True, True),
        ProviderEntry("song_format", "one", "other", False, False),
    ]
    assert [entry.type for entry in providers.entries()] == ["song_format", "song_format", "other"]


def test_a_provider_goes_and_comes_back() -> None:
    providers = FakeProviders()
    providers.add("storage", "one", "ONE")
    providers.add("storage", "two", "TWO")
    providers.choose("storage", "two")
    providers.remove("storage", "two")
    assert providers.active("storage") == "ONE"
    for missing in (lambda: providers.get("storage", "two"), lambda: providers.choose("a", "b")):
        with pytest.raises(ProviderUnavailable):
            missing()
    providers.add("storage", "two", "TWO AGAIN")
    assert providers.active("storage") == "TWO AGAIN"


def test_services_are_offered_under_the_own_name(context: FakeContext) -> None:
    store = object()
    context.services.offer("example.board.store", store)
    assert context.services.get("example.board.store") is store
    assert context.services.offered == {"example.board.store": store}
    for name in ("store", "rooms.store", "example.board", "example.board.", "example.board.S"):
        with pytest.raises(Invalid, match=r"example\.board"):
            context.services.offer(name, store)


def test_services_of_others(context: FakeContext) -> None:
    with pytest.raises(ProviderUnavailable, match=r"rooms\.store"):
        context.services.get("rooms.store")
    assert context.services.find("rooms.store") is None
    context.services.add("rooms.store", "ROOMS")
    assert context.services.get("rooms.store") == "ROOMS"
    context.services.remove("rooms.store")
    assert context.services.find("rooms.store") is None


def test_services_of_the_host_are_for_bundled_plugins(context: FakeContext) -> None:
    for ask in (context.services.get, context.services.find):
        with pytest.raises(Forbidden):
            ask("host.info")
    context.services.add("host.info", "INFO")
    assert context.services.get("host.info") == "INFO"


class Specifications:
    @hookspec
    def board_volume(self, sound: str, loud: bool) -> float | None: ...


class Answer:
    def __init__(self, value: float | None) -> None:
        self.value = value

    @hookimpl
    def board_volume(self, sound: str) -> float | None:
        if self.value == 0:
            raise ZeroDivisionError(sound)
        return self.value


def test_hooks_ask_each_plugin_by_itself(context: FakeContext) -> None:
    context.hooks.add_hookspecs(Specifications)
    context.hooks.register("one", Answer(1.0))
    context.hooks.register("broken", Answer(0))
    context.hooks.register("silent", Answer(None))
    answers = context.hooks.call("board_volume", sound="boo", loud=True)
    assert [(each.plugin_id, each.value) for each in answers] == [
        ("silent", None),
        ("broken", None),
        ("one", 1.0),
    ]
    assert [type(each.error).__name__ for each in answers] == [
        "NoneType",
        "ZeroDivisionError",
        "NoneType",
    ]
    assert len(context.log.messages) == 1


def test_the_first_answer_that_is_one(context: FakeContext) -> None:
    context.hooks.add_hookspecs(Specifications)
    assert context.hooks.first("board_volume", sound="boo", loud=True) is None
    context.hooks.register("one", Answer(1.0))
    context.hooks.register("silent", Answer(None))
    assert context.hooks.first("board_volume", sound="boo", loud=True) == 1.0
    context.hooks.register("broken", Answer(0))
    with pytest.raises(ZeroDivisionError):
        context.hooks.first("board_volume", sound="boo", loud=True)


def test_hooks_that_are_none(context: FakeContext) -> None:
    for ask in (context.hooks.call, context.hooks.first):
        with pytest.raises(NotFound, match="board_volume"):
            ask("board_volume", sound="boo", loud=True)
    context.hooks.add_hookspecs(Specifications)
    context.hooks.add_hookspecs(Specifications)

    class Wrong:
        @hookimpl
        def board_volume(self, noise: str) -> None: ...

    with pytest.raises(pluggy.PluginValidationError, match="noise"):
        context.hooks.register("wrong", Wrong())


def test_grants_decide_when_nobody_else_does(context: FakeContext) -> None:
    permissions = context.permissions
    assert permissions.allowed(signed_in("example.board:a"), "example.board:a")
    assert permissions.allowed(signed_in(ADMIN), "example.board:a", "thing")
    assert not permissions.allowed(signed_in("example.board:z"), "example.board:a")
    assert not permissions.allowed(ANONYMOUS, "example.board:a")


def test_one_no_denies_else_one_yes_allows(context: FakeContext) -> None:
    votes: list[Any] = []
    context.permissions.deciders += [lambda *_, n=n: votes[n] for n in range(3)]
    for votes[:], granted, expected in (
        ([None, None, None], True, True),
        ([None, None, None], False, False),
        ([None, True, None], False, True),
        ([True, False, True], True, False),
        ([False, None, None], True, False),
    ):
        who = signed_in(*(["p"] if granted else []))
        assert context.permissions.allowed(who, "p", 1, 2) is expected


def test_a_decider_that_raises_says_no(context: FakeContext) -> None:
    context.permissions.deciders += [lambda *_: 1 / 0, lambda *_: True]
    assert not context.permissions.allowed(signed_in(ADMIN), "p")
    assert len(context.log.messages) == 1


def test_deciders_get_the_resources(context: FakeContext) -> None:
    asked: list[Any] = []
    context.permissions.deciders.append(lambda *question: asked.append(question))
    who = signed_in()
    context.permissions.allowed(who, "p", 1, "two")
    assert asked == [(who, "p", (1, "two"))]


def test_no_vote_stands_for_signing_in(context: FakeContext) -> None:
    context.permissions.deciders.append(lambda *_: True)
    assert context.permissions.allowed(ANONYMOUS, "p")
    with pytest.raises(Unauthenticated):
        context.permissions.require(ANONYMOUS, "p")


def test_names_of_permissions_in_any_case(context: FakeContext) -> None:
    asked: list[Any] = []
    context.permissions.deciders.append(lambda who, name, _: asked.append(name))
    assert context.permissions.allowed(signed_in("UPLOAD"), "upload")
    assert context.permissions.allowed(signed_in("example.board:edit"), "Example.Board:Edit")
    assert asked == ["UPLOAD", "example.board:edit"]


def test_requiring(context: FakeContext) -> None:
    context.permissions.require(signed_in("p"), "p")
    with pytest.raises(Unauthenticated):
        context.permissions.require(ANONYMOUS, "p")
    with pytest.raises(Forbidden, match="Missing permission: p"):
        context.permissions.require(signed_in(), "p")


def test_what_is_available(context: FakeContext) -> None:
    available = context.permissions.available()
    assert tuple(available[: len(CORE_PERMISSIONS)]) == CORE_PERMISSIONS
    assert [each.name for each in available[len(CORE_PERMISSIONS) :]] == [
        "example.board:a",
        "example.board:z",
    ]


def test_somebody_who_is_signed_in() -> None:
    alice = signed_in("a", "b", name="Alice", profile_id=7, user={"x": 1})
    assert (alice.id, alice.name, alice.profile_id) == ("profile-7", "Alice", 7)
    assert alice.permissions == {"a", "b"}
    assert alice.user == {"x": 1}
    assert signed_in().signed_in
    assert signed_in(name="Bob").id == "user-bob"
    assert signed_in(id="x", provider="staff").provider == "staff"
