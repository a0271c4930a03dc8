"""How keys become names of objects: any key, one name, the same order."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builtin_plugins.s3_storage.names import (
    encoded,
    is_cut,
    key_of,
    object_name,
    prefix_name,
    start_name,
    stem_of,
)

TEXT = st.text(st.characters(), max_size=40)
TRICKY = st.text("azAZ09 -._/@[`{~!,é\u00ff\u0100\uffff\U00010000\U0010ffff", max_size=12)
KEY = st.one_of(TEXT, TRICKY).filter(bool)
LONG = st.builds(
    lambda head, count, tail: head * count + tail,
    st.sampled_from(["k", "s/", "\U0001f600", "é.", "_"]),
    st.integers(30, 300),
    TRICKY,
)
NAME = re.compile(r"[0-9A-Za-z!@_~.-]{1,202}(/[0-9A-Za-z!@_~.-]{1,202})*")
AT_MOST = 1024 - 129  # what S3 takes, without the longest folder


@given(st.one_of(KEY, LONG), st.one_of(KEY, LONG))
@example("a", "a/b")
@example("a/b", "a b")
@example("a.b", "a/b")
@example("k" * 200, "k" * 201)
@example("k" * 200, "k" * 199 + "l")
@example("\uffff", "\U00010000")
def test_names_have_the_order_of_their_keys(one: str, other: str) -> None:
    first, second = object_name(one), object_name(other)
    assert (first == second) == (one == other)
    if is_cut(first) and is_cut(second) and stem_of(first) == stem_of(second):
        return  # only the keys themselves tell the order of these
    assert (first < second) == (one < other)


@given(st.one_of(KEY, LONG))
def test_every_store_takes_the_names(key: str) -> None:
    name = object_name(key)
    assert NAME.fullmatch(name), name
    assert len(name) <= AT_MOST
    assert not {".", ".."} & set(name.split("/"))


@given(st.one_of(KEY, LONG))
def test_a_name_that_is_not_cut_tells_its_key(key: str) -> None:
    name = object_name(key)
    assert key_of(name) == (None if is_cut(name) else key)


@given(st.one_of(st.text("0123456789abcdefgmpVWz!@_~.-/", max_size=30), TEXT))
@example("")
@example("~6ffffff")
@example("~17b")
@example("~2e")
@example("a/b")
@example("k" * 200 + "-/")
def test_a_name_that_is_none_tells_no_key(name: str) -> None:
    key = key_of(name)
    assert key is None or object_name(key) == name


@given(st.one_of(KEY, LONG), st.integers(0, 600))
def test_names_begin_with_those_of_prefixes(key: str, length: int) -> None:
    assert object_name(key).startswith(prefix_name(key[:length]))


@given(TRICKY, TRICKY)
def test_other_names_do_not_begin_so(prefix: str, key: str) -> None:
    assert encoded(key).startswith(encoded(prefix)) == key.startswith(prefix)


@given(st.one_of(KEY, LONG), st.one_of(KEY, LONG))
def test_what_comes_after_a_key_is_found_behind_its_start(key: str, after: str) -> None:
    start = start_name(after)
    if key > after:
        assert object_name(key) > start
    elif not (is_cut(object_name(key)) and stem_of(object_name(key)) == start):
        assert object_name(key) <= start


@given(st.one_of(KEY, LONG))
def test_files_and_folders_never_have_one_name(key: str) -> None:
    for length in range(1, len(key)):
        assert not object_name(key).startswith(object_name(key[:length]) + "/")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("example.soundboard/sounds/chime-1.ogg", "example.-soundboard._sounds._chime-1.-ogg"),
        ("rooms/files/0f3a", "rooms._files._0f3a"),
        ("a b_c", "a!ab__c"),
        ("é", "~2e9"),
        ("k" * 201, "k" * 200 + "-/k"),
    ],
)
def test_names_can_be_read(key: str, name: str) -> None:
    """Written down, because blobs stored by one version must be found by the next."""
    assert object_name(key) == name


def test_long_keys_are_cut_and_told_apart() -> None:
    one, other = "é" * 300, "é" * 299 + "ê"
    names = {object_name(one), object_name(other)}
    assert len(names) == 2
    assert all(map(is_cut, names))
    assert len({*map(stem_of, names)}) == 1
    assert not is_cut(object_name("k" * 512))
