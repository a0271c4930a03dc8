"""Names, permissions, secrets, fields: the parts that need no host."""

from __future__ import annotations

import re
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.accounts.fields import Body, list_of, name, text
from builtin_plugins.accounts.hashing import DECOY, SecretHasher, token_hash
from builtin_plugins.accounts.names import name_key
from builtin_plugins.accounts.permissions import CORE, canonical, from_text, in_order, to_text
from builtin_plugins.accounts.shapes import CHANGES, LOGIN, NEW_GROUP, NEW_PROFILE
from plugin_sdk import Invalid, UnsupportedMediaType
from plugin_sdk.testing import request

GOOD = {"name": "Bob", "pin": "0000", "recoveryPhrase": "my phrase"}


def problems(body, values):
    with pytest.raises(Invalid) as caught:
        body.check(values)
    return {each.path: each.message for each in caught.value.details}


# Names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ÉLODIE", "élodie"),
        ("élodie", "e\u0301lodie"),
        (" Alice ", "alice"),
        ("STRASSE", "straße"),
        ("ᾼ", "ᾳ"),
    ],
)
def test_spellings_of_one_name(one, other):
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("Alice", "Alise"), ("a b", "a  b"), ("i", "ı")])
def test_names_that_differ(one, other):
    assert name_key(one) != name_key(other)


@given(st.text(min_size=1, max_size=30))
def test_a_name_is_compared_the_same_however_it_is_written(text):
    key = name_key(text)
    assert name_key(normalize("NFD", text)) == key
    assert name_key(f" {text}\t") == key


# Permissions


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("admin", "ADMIN"),
        ("Edit_Tracks", "EDIT_TRACKS"),
        ("Hello:Wave", "hello:wave"),
        ("a.b-c_d:e-f_g", "a.b-c_d:e-f_g"),
        ("ADMıN", None),
        ("ADMIN ", None),
        ("hello", None),
        ("hello:", None),
        (":wave", None),
        ("h:wave", None),
        ("1hello:wave", None),
        ("hello:wave\n", None),
        ("hello:" + "w" * 41, None),
        ("K:wave", None),
        ("", None),
    ],
)
def test_the_spelling_of_a_permission(given, expected):
    assert canonical(given) == expected


@given(st.sets(st.sampled_from([*CORE, "b:x", "a:y", "a:x"])))
def test_permissions_have_one_order(names):
    ordered = in_order([*names, *names])
    assert set(ordered) == names
    core = [each for each in ordered if each in CORE]
    assert core == [each for each in CORE if each in names]
    assert ordered[len(core) :] == sorted(names - set(CORE))
    assert from_text(to_text(names)) == names


def test_the_core_permissions_are_those_of_the_contract():
    assert list(CORE) == [
        *("ADMIN", "EDIT_TRACKS", "DELETE_TRACKS", "MANAGE_SETTINGS", "MANAGE_PERMISSIONS"),
        *("MANAGE_PROFILES", "MANAGE_PLUGINS", "UPLOAD"),
    ]


# Secrets


def test_the_hash_of_a_token_is_that_of_the_contract():
    assert (
        token_hash("3f2b8c1e-9a4d-4f6b-8e21-5c7d9e0a1b2c")
        == "9f0e476bb3307ce159a439adda42dd0da46c8cc0eec2af44f4ffec85ab61a9b8"
    )


def test_secrets_are_argon2id_with_the_parameters_of_the_contract(hashing_as_agreed):
    hasher = SecretHasher(2)
    stored = hasher.hash("1234")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert DECOY.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.hash("1234") != stored
    assert hasher.matches(stored, "1234")
    assert not hasher.matches(stored, "12345")
    assert not hasher.matches(DECOY, "1234")
    assert hasher.renewed(stored, "1234") is None


def test_secrets_are_compared_in_their_composed_form_but_else_exactly():
    hasher = SecretHasher(2)
    stored = hasher.hash("café Nr 1")
    assert hasher.matches(stored, "cafe\u0301 Nr 1")
    for other in ("Café Nr 1", "café  Nr 1", " café Nr 1", "cafe Nr 1"):
        assert not hasher.matches(stored, other)


# Fields


def test_every_problem_is_told_at_once():
    bad = {"name": "  ", "pin": "123", "recoveryPhraseHint": "x" * 129, "avatarId": 1.0}
    assert problems(NEW_PROFILE, bad) == {
        "name": "must have 1 to 64 characters",
        "pin": "must have 4 to 32 characters",
        "recoveryPhrase": "is missing",
        "recoveryPhraseHint": "must have at most 128 characters",
        "avatarId": "must be an integer or null",
    }


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", ["x", " x ", "x" * 64, "  " + "x" * 64 + "  ", "🎸" * 64, "日本語"]),
        ("pin", ["1234", "x" * 32, "    ", "🎸🎸🎸🎸", "pin\twith tab"]),
        ("recoveryPhrase", ["blue", "x" * 128]),
        ("recoveryPhraseHint", ["", "favourite colour + number", "x" * 128]),
        ("avatarId", [None, 0, 9999]),
    ],
)
def test_values_that_are_taken(field, values):
    for value in values:
        taken = NEW_PROFILE.check({**GOOD, field: value})[field]
        assert taken == (value.strip() if field == "name" else value)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", ["", " ", "x" * 65, "a\x00b", "a\nb", "a\x7fb", "a\x85b", None, 1, True, [], {}]),
        ("pin", ["", "123", "x" * 33, 1234, None, True, "a\x00bc", "abc\ud800"]),
        ("recoveryPhrase", ["abc", "x" * 129, None, 4]),
        ("recoveryPhraseHint", ["x" * 129, None, 0]),
        ("avatarId", [-1, 10000, 1.0, 1.5, True, False, "1", []]),
    ],
)
def test_values_that_are_refused(field, values):
    for value in values:
        assert list(problems(NEW_PROFILE, {**GOOD, field: value})) == [field], repr(value)


def test_members_that_nobody_knows_are_ignored():
    assert NEW_PROFILE.check({**GOOD, "locked": True, "other": 1}) == GOOD


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_settings_are_an_object(value):
    assert problems(CHANGES, {"profileSettings": value}) == {"profileSettings": "must be an object"}


def test_settings_have_a_limit_in_bytes():
    edge = {"k": "é" * ((64 * 1024 - len('{"k":""}')) // 2)}
    assert CHANGES.check({"profileSettings": edge}) == {"profileSettings": edge}
    edge["k"] += "x"
    assert list(problems(CHANGES, {"profileSettings": edge})) == ["profileSettings"]


def test_login_takes_short_and_long_pins_so_that_they_are_wrong_not_malformed():
    assert LOGIN.check({"profileName": "x", "pin": "1"}) == {"profileName": "x", "pin": "1"}
    assert list(problems(LOGIN, {"profileName": "", "pin": "x" * 129})) == ["profileName", "pin"]
    assert list(problems(LOGIN, {"profileName": "x" * 65})) == ["profileName", "pin"]


def test_entries_of_lists_are_named_by_their_number():
    body = Body("T", {"tags": list_of(text(1, 3), 4)})
    assert problems(body, {"tags": ["a", "", "abcd", "b"]}) == {
        "tags.1": "must have 1 to 3 characters",
        "tags.2": "must have 1 to 3 characters",
    }
    assert problems(body, {"tags": ["a"] * 5}) == {"tags": "must have at most 4 entries"}
    assert problems(body, {"tags": "abc"}) == {"tags": "must be a list"}


def test_a_thousand_problems_are_not_told():
    with pytest.raises(Invalid) as caught:
        NEW_GROUP.check({"name": "x", "profileIds": ["x"] * 10_000})
    assert len(caught.value.details) == 200


@given(
    st.dictionaries(
        st.sampled_from([*NEW_PROFILE.fields, "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_whatever_comes_is_taken_or_refused_with_known_paths(values):
    refused: set[str] = set()
    try:
        taken = NEW_PROFILE.check(values)
    except Invalid as error:
        refused = {each.path for each in error.details}
        taken = {}
    assert refused <= NEW_PROFILE.fields.keys()
    assert refused or set(NEW_PROFILE.required) <= taken.keys() <= values.keys()
    assert refused or 1 <= len(taken["name"]) <= 64


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/jsonx"}]
)
def test_a_body_says_that_it_is_json(headers):
    with pytest.raises(UnsupportedMediaType):
        NEW_PROFILE.read(request("POST", body=GOOD, headers=headers))


def test_parameters_of_the_media_type_do_no_harm():
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert NEW_PROFILE.read(request("POST", body=GOOD, headers=headers)) == GOOD


def test_no_body_is_a_body_without_members():
    assert CHANGES.read(request("PATCH")) == {}
    with pytest.raises(Invalid) as caught:
        NEW_PROFILE.read(request("POST"))
    assert [each.path for each in caught.value.details] == ["name", "pin", "recoveryPhrase"]


def test_the_documentation_comes_from_the_same_fields():
    documented = NEW_PROFILE.documented["requestBody"]
    schema = documented["content"]["application/json"]["schema"]
    assert documented["required"] is True
    assert schema["required"] == ["name", "pin", "recoveryPhrase"]
    assert schema["properties"]["pin"] == {"type": "string", "minLength": 4, "maxLength": 32}
    assert CHANGES.documented["requestBody"]["required"] is False


def test_names_say_how_long_they_may_be():
    assert re.search("1 to 7", str(name(7).schema["description"]))
