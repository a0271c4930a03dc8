"""Multipart bodies, cut into chunks anywhere (contract, 7.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.drops.multipart import BadMultipart, boundary_of, parts

LIMIT = 64


def joined(contents: list[bytes]) -> bytes:
    head = b"Content-Type: x\r\nDate: y\r\n\r\n"
    return b"".join(b"--b\r\n" + head + each + b"\r\n" for each in contents) + b"--b--\r\n"


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


@given(
    st.lists(st.binary(max_size=LIMIT + 20).filter(lambda each: b"\r\n--b" not in each)),
    st.integers(1, 40),
    st.binary(max_size=9).filter(lambda each: b"\r" not in each),
)
def test_the_bytes_are_raw(contents: list[bytes], size: int, epilogue: bytes) -> None:
    found = [content for _, content in parts(cut(joined(contents) + epilogue, size), b"b", LIMIT)]
    assert found == [each if len(each) <= LIMIT else None for each in contents]


def test_a_long_part_costs_no_memory() -> None:
    body = joined([b"a", b"x" * 1_000_000, b"c"])
    found = [content for _, content in parts(cut(body, 1000), b"b", LIMIT)]
    assert found == [b"a", None, b"c"]


@pytest.mark.parametrize("body", [b"", b"--b\r\n\r\nx", b"no boundary", joined([b"x"])[:-6]])
def test_a_body_that_is_cut_short(body: bytes) -> None:
    with pytest.raises(BadMultipart):
        list(parts([body], b"b", LIMIT))


def test_boundaries() -> None:
    kind = "multipart/mixed"
    assert boundary_of('multipart/mixed; boundary="a b"', kind) == b"a b"
    assert boundary_of("Multipart/Mixed;boundary=ab", kind) == b"ab"
    for wrong in ("multipart/mixed", "multipart/form-data; boundary=a", "", 'multipart/mixed; x="'):
        assert boundary_of(wrong, kind) is None


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    try:
        list(parts([body], b"b", LIMIT))
    except BadMultipart:
        pass
