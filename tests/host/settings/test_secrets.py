from __future__ import annotations

from typing import Any

import pytest

from host.settings.secrets import MASK, MISSING, Secrets
from plugin_sdk import Invalid

SECRET = {"type": "string", "writeOnly": True}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "plain": {"type": "string"},
        "whole": {"type": "object", "writeOnly": True},
        "account": {
            "type": "object",
            "properties": {"user": {"type": "string"}, "password": SECRET},
        },
        "servers": {"type": "array", "items": {"$ref": "#/$defs/server"}},
        "pair": {"type": "array", "prefixItems": [{}, SECRET]},
        "either": {"anyOf": [{"type": "null"}, {"properties": {"key": SECRET}}]},
        "tree": {"$ref": "#/$defs/tree"},
        "keys": {"type": "array", "items": SECRET},
        "headers": {"type": "object", "additionalProperties": SECRET},
    },
    "patternProperties": {"^token_": SECRET},
    "$defs": {
        "server": {"allOf": [{"properties": {"url": {}, "a/b": SECRET}}, {"$ref": "#/$defs/x~1y"}]},
        "x/y": {"properties": {"key": SECRET}},
        "tree": {"properties": {"leaf": SECRET, "below": {"$ref": "#/$defs/tree"}}},
    },
}


@pytest.fixture
def secrets() -> Secrets:
    return Secrets(SCHEMA)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("plain", "p", "p"),
        ("whole", {"a": 1}, MASK),
        ("whole", None, None),
        ("account", {"user": "u", "password": "p"}, {"user": "u", "password": MASK}),
        ("account", {"user": "u", "password": ""}, {"user": "u", "password": ""}),
        ("account", "no object", "no object"),
        ("servers", [{"key": "k", "a/b": "c"}], [{"key": MASK, "a/b": MASK}]),
        ("pair", ["a", "b", "c"], ["a", MASK, "c"]),
        ("either", {"key": "k"}, {"key": MASK}),
        ("tree", {"below": {"below": {"leaf": "x"}}}, {"below": {"below": {"leaf": MASK}}}),
        ("keys", ["a", "b"], [MASK, MASK]),
        ("headers", {"X-Key": "k"}, {"X-Key": MASK}),
        ("token_a", "t", MASK),
        ("other", "t", "t"),
    ],
)  # fmt: skip
def test_marks_are_found_at_every_depth(
    secrets: Secrets, name: str, value: Any, shown: Any
) -> None:
    assert secrets.masked(name, value) == shown
    assert secrets.restored(name, shown, value) == value


def test_secrets_as_a_whole(secrets: Secrets) -> None:
    assert secrets.is_secret("whole")
    assert secrets.is_secret("token_x")
    assert not secrets.is_secret("account")
    assert not secrets.is_secret("plain")


def test_new_secrets_replace_the_stored_ones(secrets: Secrets) -> None:
    stored = {"user": "u", "password": "old"}
    sent = {"user": "v", "password": "new"}
    assert secrets.restored("account", sent, stored) == sent
    kept = secrets.restored("account", {"user": "v", "password": MASK}, stored)
    assert kept == {"user": "v", "password": "old"}


def test_a_mask_without_a_stored_secret_stands_for_nothing(secrets: Secrets) -> None:
    assert secrets.restored("whole", MASK, MISSING) is MISSING
    assert secrets.restored("account", {"user": "u", "password": MASK}, MISSING) == {"user": "u"}
    assert secrets.restored("account", {"password": MASK}, "no object") == {}


def test_entries_of_a_list_are_known_by_the_rest_of_them(secrets: Secrets) -> None:
    one, two = {"url": "1", "key": "a"}, {"url": "2", "key": "b"}
    sent = [{"url": "2", "key": MASK}, {"url": "3", "key": "c"}, {"url": "1", "key": MASK}]
    restored = secrets.restored("servers", sent, [one, two])
    assert restored == [two, {"url": "3", "key": "c"}, one]


def test_a_secret_does_not_move_to_another_entry(secrets: Secrets) -> None:
    stored = [{"url": "https://good", "key": "a"}]
    for sent in ([{"url": "https://evil", "key": MASK}], [{"key": MASK}]):
        with pytest.raises(Invalid, match="send the secret"):
            secrets.restored("servers", sent, stored)


def test_entries_that_are_all_secret_are_known_by_their_place(secrets: Secrets) -> None:
    assert secrets.restored("keys", [MASK, "new", MASK], ["a", "b", "c"]) == ["a", "new", "c"]
    assert secrets.restored("keys", [MASK, MASK, "d"], ["a", "b"]) == ["a", "b", "d"]
    for sent in ([MASK], [MASK, MASK, MASK, MASK]):
        with pytest.raises(Invalid, match="send the secret"):
            secrets.restored("keys", sent, ["a", "b", "c"])


def test_of_entries_that_look_alike_each_keeps_its_place(secrets: Secrets) -> None:
    stored = [{"url": "u", "key": "a"}, {"url": "u", "key": "b"}]
    assert secrets.restored("servers", [{"url": "u", "key": MASK}] * 2, stored) == stored
    with pytest.raises(Invalid):  # which of the two was taken out?
        secrets.restored("servers", [{"url": "u", "key": MASK}], stored)


def test_a_schema_without_secrets_changes_nothing() -> None:
    secrets = Secrets({"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}})
    assert secrets.masked("a", MASK) == MASK
    assert secrets.restored("a", MASK, "x") == MASK
    assert not secrets.is_secret("a")
