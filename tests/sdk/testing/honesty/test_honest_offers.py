"""What a fake context offers and forbids, a real host does alike."""

from __future__ import annotations

import pytest

from plugin_sdk import (
    ADMIN,
    CapabilityMissing,
    Context,
    Forbidden,
    Invalid,
    Principal,
    ProviderUnavailable,
    Unauthenticated,
)
from plugin_sdk.testing import signed_in
from tests.sdk.testing.honesty.boards import CAPABILITIES, SETTINGS, refused


def test_who_it_is_and_what_it_may_not(context: Context) -> None:
    assert context.plugin_id == "board"
    manifest = context.manifest
    assert (manifest.id, manifest.capabilities) == ("board", tuple(CAPABILITIES))
    assert manifest.settings == SETTINGS
    assert manifest.prefix == "/api/plugins/board"
    assert [each.name for each in manifest.permissions] == ["board:z", "board:a"]
    refused(CapabilityMissing, lambda: context.http, lambda: context.realtime)


def test_settings(context: Context) -> None:
    settings = context.settings
    told: list[frozenset[str]] = []
    settings.on_change(told.append)
    assert settings.as_dict() == {"maxSounds": 5, "names": ["a"], "key": None}
    assert (list(settings), len(settings)) == (["maxSounds", "names", "key"], 3)
    assert ("key" in settings, "other" in settings) == (True, False)
    assert (settings["key"], settings.get("key", 1), settings.get("other", 1)) == (None, 1, 1)
    settings["names"].append("b")
    assert settings["names"] == ["a"]
    settings.update({"maxSounds": 6, "key": "k"})
    settings.update({"maxSounds": 6})
    settings.update({"maxSounds": None})
    assert settings["maxSounds"] == 3
    assert told == [frozenset({"maxSounds", "key"}), frozenset({"maxSounds"})]
    refused(KeyError, lambda: settings["other"])
    refused(
        Invalid,
        lambda: settings.update({"other": 1}),
        lambda: settings.update({"maxSounds": 9, "other": 1}),
        lambda: settings.update({"key": object()}),
    )
    assert settings["maxSounds"] == 3


def test_providers(context: Context) -> None:
    providers = context.providers
    assert providers.active("volume") == "LOUD"
    assert providers.get("volume", "quiet") == "QUIET"
    assert providers.chain("volume") == ["LOUD", "QUIET"]
    assert [(each.name, each.plugin_id, each.active) for each in providers.entries("volume")] == [
        ("loud", "board", True),
        ("quiet", "board", False),
    ]
    refused(
        ProviderUnavailable,
        lambda: providers.active("missing"),
        lambda: providers.get("volume", "missing"),
    )
    assert list(providers.chain("missing")) == []
    assert list(providers.entries("missing")) == []


def test_services(context: Context) -> None:
    services = context.services
    assert services.find("nobody.store") is None
    refused(ProviderUnavailable, lambda: services.get("nobody.store"))
    refused(Forbidden, lambda: services.get("host.info"), lambda: services.find("host.info"))
    for name in ("store", "rooms.store", "board", "board.", "board.Store"):
        refused(Invalid, lambda name=name: services.offer(name, object()))


def test_permissions(context: Context) -> None:
    permissions = context.permissions
    nobody, somebody, admin = Principal(), signed_in("board:a"), signed_in(ADMIN)
    assert permissions.allowed(somebody, "board:a")
    assert permissions.allowed(admin, "board:z")
    assert not permissions.allowed(somebody, "board:z")
    assert permissions.allowed(nobody, "board:z", True)
    assert not permissions.allowed(admin, "board:z", False)
    permissions.require(somebody, "board:a")
    refused(Unauthenticated, lambda: permissions.require(nobody, "board:z"))
    with pytest.raises(Forbidden) as caught:
        permissions.require(somebody, "board:z")
    assert caught.value.message == "Missing permission: board:z"
    own = [each for each in permissions.available() if each.plugin_id == "board"]
    assert [each.name for each in own] == ["board:a", "board:z"]


def test_clock(context: Context) -> None:
    clock = context.clock
    assert abs(clock.ms() / 1000 - clock.time()) < 5
    assert abs(clock.now().timestamp() - clock.time()) < 5
    assert clock.iso(1_001) == "1970-01-01T00:00:01.001Z"
    assert clock.iso().endswith("Z")
    assert len(clock.iso()) == 24
