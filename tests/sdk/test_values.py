"""Who calls, blob keys, replies: the small values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_sdk import (
    ADMIN,
    ANONYMOUS,
    CORE_PERMISSIONS,
    HttpReply,
    Invalid,
    JobInfo,
    Login,
    Principal,
    UpstreamFailed,
    check_blob_key,
)


def test_nobody_holds_nothing() -> None:
    assert not ANONYMOUS.signed_in
    assert not any(ANONYMOUS.holds(each.name) for each in CORE_PERMISSIONS)


def test_an_administrator_holds_everything() -> None:
    admin = Principal(id="profile-1", permissions=frozenset({ADMIN}))
    assert admin.signed_in
    assert admin.holds("example.board:edit")
    editor = Principal(id="profile-2", permissions=frozenset({"EDIT_TRACKS"}))
    assert editor.holds("EDIT_TRACKS")
    assert not editor.holds("DELETE_TRACKS")


def test_core_permissions_are_in_their_order() -> None:
    assert [each.name for each in CORE_PERMISSIONS] == [
        "ADMIN",
        "EDIT_TRACKS",
        "DELETE_TRACKS",
        "MANAGE_SETTINGS",
        "MANAGE_PERMISSIONS",
        "MANAGE_PROFILES",
        "MANAGE_PLUGINS",
        "UPLOAD",
    ]
    assert all(each.plugin_id is None and each.description for each in CORE_PERMISSIONS)


def test_a_login_does_not_show_its_token() -> None:
    assert "secret" not in repr(Login("secret", 1, ANONYMOUS))


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "failed", "cancelled"])
def test_a_job_is_over_or_not(state: str) -> None:
    info = JobInfo("1", "example.board", "scan", state)  # type: ignore[arg-type]
    assert info.finished is (state in ("succeeded", "failed", "cancelled"))


@pytest.mark.parametrize("status", [200, 204, 299, 199, 300, 404, 500])
def test_a_reply_is_ok_or_not(status: int) -> None:
    assert HttpReply(status, {}, b"").ok is (200 <= status < 300)


def test_a_reply_is_json_or_not() -> None:
    assert HttpReply(200, {}, b'{"a": [1]}').json() == {"a": [1]}
    for content in (b"", b"<html>", b"\xff", b"[" * 200_000):
        with pytest.raises(UpstreamFailed, match="JSON"):
            HttpReply(200, {}, content).json()


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "a/b",
        "...",
        "a..b",
        ".a",
        "a b",
        "ü/ñ",
        "\U0001f600",
        "%2F",
        "x" * 512,
        "a/" * 255 + "b",
    ],
)
def test_blob_keys(key: str) -> None:
    assert check_blob_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        *("", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\\b"),
        *("a\0", "a\nb", "\x7f", "\ud800", "x" * 513),
    ],
)
def test_what_is_no_blob_key(key: str) -> None:
    with pytest.raises(Invalid):
        check_blob_key(key)


@given(st.text(max_size=30))
def test_a_blob_key_stays_below_its_folder(text: str) -> None:
    try:
        key = check_blob_key(text)
    except Invalid:
        return
    parts = key.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert "\0" not in key
    assert key.encode().decode() == key
