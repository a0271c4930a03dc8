"""Who the profile is, the commands that say so, and the hooks of beginning and end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import builtin_plugins.local_api as local_api
from builtin_plugins.local_api.profile import CURRENT_USER
from plugin_sdk import Principal, ProviderUnavailable, hookimpl
from plugin_sdk.testing import FakeContext, request

FOLDER = Path(local_api.__file__).parent
ALICE = {"id": "user-alice-01", "username": "alice", "displayName": "Alice", "rank": 1.0}


class Texts:
    """The part of plugin_data.store that is asked here."""

    def __init__(self) -> None:
        self.meta: dict[str, str] = {}

    def get_meta(self, key: str) -> str | None:
        return self.meta.get(key)

    def set_meta(self, key: str, value: str) -> None:
        self.meta[key] = value

    def unset_meta(self, key: str) -> bool:
        return self.meta.pop(key, None) is not None


class Rooms:
    """The part of rooms.store that is asked here: finds alice by two names."""

    def user(self, id: str) -> dict[str, Any] | None:
        return ALICE if id in ("user-alice-01", "oder-alice") else None


@pytest.fixture
def texts() -> Texts:
    return Texts()


@pytest.fixture
def context(context: FakeContext, texts: Texts) -> FakeContext:
    context.services.add("plugin_data.store", texts)
    context.services.add("rooms.store", Rooms())
    return context


SIGNALING = Principal(
    id="bob@https://signal.example.com",
    name="Bob",
    provider="signaling",
    user={"id": "bob", "username": "bobby", "displayName": "Bob"},
)


def profile(plugin: local_api.LocalApi, principal: Principal = SIGNALING) -> Any:
    answer = plugin.profile(request(path="/api/profile", principal=principal, token="t"))
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.body


def test_the_stored_user_comes_back_whole(plugin: local_api.LocalApi, texts: Texts) -> None:
    texts.meta[CURRENT_USER] = "user-alice-01"
    assert profile(plugin) == ALICE


@pytest.mark.parametrize("named", [None, "", "nobody", "oder-alice"])
def test_without_a_row_it_is_the_user_of_the_token(
    plugin: local_api.LocalApi, texts: Texts, named: str | None
) -> None:
    if named is not None:
        texts.meta[CURRENT_USER] = named
    assert profile(plugin) == {"id": "bob", "username": "bobby", "displayName": "Bob"}


def test_a_session_of_a_profile(plugin: local_api.LocalApi) -> None:
    principal = Principal(id="profile-7", name="Ann", provider="accounts", profile_id=7)
    assert profile(plugin, principal) == {
        "id": "profile-7",
        "username": "Ann",
        "displayName": "Ann",
    }


def test_a_provider_that_says_little(plugin: local_api.LocalApi) -> None:
    assert profile(plugin, Principal(id="x-1", name="", user={"id": 5})) == {
        "id": "x-1",
        "username": "x-1",
        "displayName": "x-1",
    }


@pytest.mark.parametrize("gone", ["plugin_data.store", "rooms.store"])
def test_a_store_that_is_off(
    context: FakeContext, plugin: local_api.LocalApi, texts: Texts, gone: str
) -> None:
    texts.meta[CURRENT_USER] = "user-alice-01"
    context.services.remove(gone)
    assert profile(plugin)["id"] == "bob"


def test_nobody_is_let_in_without_a_token(plugin: local_api.LocalApi) -> None:
    (read,) = (each for each in plugin.routes() if each.path == "/api/profile")
    assert read.access == "token"


def run(plugin: local_api.LocalApi, name: str, **arguments: str) -> None:
    (command,) = (each for each in plugin.commands() if each.name == name)
    assert (command.handler(None, **arguments) or 0) == 0


def test_commands_write_meta(plugin: local_api.LocalApi, texts: Texts) -> None:
    run(plugin, "set-meta", key="k", value="")
    assert texts.meta == {"k": ""}
    run(plugin, "unset-meta", key="k")
    run(plugin, "unset-meta", key="k")
    assert texts.meta == {}


def test_commands_need_the_store(context: FakeContext, plugin: local_api.LocalApi) -> None:
    context.services.remove("plugin_data.store")
    with pytest.raises(ProviderUnavailable, match="plugin_data, which is switched off"):
        run(plugin, "set-meta", key="k", value="v")


class Listener:
    """A plugin that wants to know; the first call fails."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @hookimpl
    def local_api_started(self, addresses: Sequence[str]) -> None:
        self.heard.append(tuple(addresses))
        raise RuntimeError("not interested")

    @hookimpl
    def local_api_stopped(self) -> None:
        self.heard.append("stopped")


def test_beginning_and_end_are_told_once(context: FakeContext, plugin: local_api.LocalApi) -> None:
    listener = Listener()
    context.hooks.register("example.listener", listener)
    context.events.receive("host.plugin_enabled", {"pluginId": "another"})
    assert listener.heard == []
    context.events.receive("host.started", {"version": "1"})
    context.events.receive("host.plugin_enabled", {"pluginId": "local_api"})
    assert listener.heard == [("http://127.0.0.1:8085",)]
    context.events.receive("host.stopping", {})
    plugin.disable()
    assert listener.heard[1:] == ["stopped"]
