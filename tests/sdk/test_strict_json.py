"""Strict JSON: what is taken comes back equal, what is refused is said."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugin_sdk import Invalid, check_json, dump_json, parse_json
from plugin_sdk.strict_json import MAX_JSON_DEPTH

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES)
@example({"": [0.1, -0.0, 1e308, "\u2028\U0001f600", {"a": None}]})
def test_what_is_written_is_read_back(value: Any) -> None:
    text = dump_json(value)
    assert parse_json(text) == value
    assert parse_json(text.encode(), unique_keys=True) == value


@given(_VALUES)
def test_the_text_is_compact_and_the_order_of_keys_is_kept(value: Any) -> None:
    text = dump_json(value)
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert dump_json(parse_json(text)) == text


@given(st.text())
def test_a_text_that_is_taken_can_be_written(text: str) -> None:
    try:
        value = parse_json(text)
    except Invalid:
        return
    assert parse_json(dump_json(value)) == value


@given(st.binary(max_size=40))
def test_bytes_that_are_taken_can_be_written(content: bytes) -> None:
    try:
        value = parse_json(content)
    except Invalid:
        return
    assert parse_json(dump_json(value)) == value


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("shape", ["{}", "[{}]", '{{"a": {}}}'])
def test_numbers_that_are_none_are_refused(word: str, shape: str) -> None:
    with pytest.raises(Invalid):
        parse_json(shape.format(word))


@pytest.mark.parametrize("text", ['"\\ud800"', '{"\\udfff": 1}', '["a\\ud83d"]', '"\\u0000"'])
def test_texts_that_cannot_be_stored_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_json(text)


def test_surrogates_in_pairs_are_a_character() -> None:
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_number_are_refused(value: float) -> None:
    for shape in (value, [value], {"a": value}, [[{"a": [value]}]]):
        with pytest.raises(Invalid, match="out of range"):
            dump_json(shape)


@pytest.mark.parametrize(
    "value",
    [b"bytes", {1, 2}, object(), {1: "a"}, {None: 1}, {True: 1}, ["a", 1j], {"a": {b"b"}}],
    ids=["bytes", "set", "object", "number key", "null key", "true key", "complex", "deep set"],
)
def test_values_that_are_no_json_are_refused(value: Any) -> None:
    with pytest.raises(Invalid):
        check_json(value)
    with pytest.raises(Invalid):
        dump_json(value)


@pytest.mark.parametrize("value", ["\ud800", {"\udc00": 1}, ["a\0"], {"\0": 1}])
def test_values_with_texts_that_cannot_be_stored_are_refused(value: Any) -> None:
    with pytest.raises(Invalid):
        dump_json(value)


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def test_depth_is_limited() -> None:
    deepest = _nested(MAX_JSON_DEPTH)
    assert parse_json(json.dumps(deepest)) == deepest
    for refuse in (lambda: dump_json([deepest]), lambda: parse_json(json.dumps([deepest]))):
        with pytest.raises(Invalid, match="nested too deeply"):
            refuse()
    with pytest.raises(Invalid, match="nested too deeply"):
        parse_json("[[[1]]]", max_depth=2)
    assert parse_json("[[1]]", max_depth=2) == [[1]]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 5000 + "]" * 5000])
def test_depth_that_would_end_the_parser_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_json(text)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(Invalid, match="nested too deeply"):
        dump_json(loop)


def test_a_key_that_occurs_twice() -> None:
    assert parse_json('{"a": 1, "a": 2}') == {"a": 2}
    for text in ('{"a": 1, "a": 2}', '[{"b": {"a": 1, "b": 2, "a": 3}}]'):
        with pytest.raises(Invalid, match='the key "a" occurs twice'):
            parse_json(text, unique_keys=True)
    assert parse_json('[{"a": 1}, {"a": 2}]', unique_keys=True) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("{", "line 1, column 2"),
        ("[1,\n 2,\n x]", "line 3, column 2"),
        ("[1] 2", "line 1, column 5"),
    ],
)
def test_a_mistake_is_located(text: str, where: str) -> None:
    with pytest.raises(Invalid, match=where):
        parse_json(text)


def test_what_is_empty_and_what_is_no_utf8() -> None:
    for text in ("", "  \n", b""):
        with pytest.raises(Invalid, match="empty"):
            parse_json(text)
    with pytest.raises(Invalid, match="byte 2 cannot be decoded"):
        parse_json(b'"a\xff"')
    with pytest.raises(Invalid):
        parse_json(b"\xef\xbb\xbf{}")


def test_a_number_too_long_for_python_is_refused() -> None:
    with pytest.raises(Invalid):
        parse_json("1" * 5000)
