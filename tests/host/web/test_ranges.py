"""Byte ranges and conditional requests, against the contract's table and a slow reference."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host.web.ranges import http_date, parse_range, plan
from plugin_sdk import RangeNotSatisfiable, StageboxError

SIZE = 2_000_000
ETAG = '"abc-1"'
MODIFIED = 784_111_777.9  # Sun, 06 Nov 1994 08:49:37 GMT
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def decide(method="GET", size=SIZE, **headers):
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return plan(method, named, size=size, etag=ETAG, modified=MODIFIED)


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, SIZE - 1),
        ("bytes=0-0", 0, 0),
        ("bytes=1999999-1999999", 1999999, 1999999),
        ("bytes=-100", 1999900, 1999999),
        ("bytes=-99999999", 0, 1999999),
        ("bytes=0-99999999", 0, 1999999),
        ("BYTES=0-99", 0, 99),
        ("bytes=000-0099", 0, 99),
        ("bytes=5-" + "9" * 5000, 5, 1999999),
        ("bytes=-" + "9" * 5000, 0, 1999999),
    ],
)
def test_ranges_that_are_honoured(header, first, last):
    decided = decide(range=header)
    assert decided.status == 206
    assert (decided.start, decided.length) == (first, last - first + 1)
    assert dict(decided.headers)["Content-Range"] == f"bytes {first}-{last}/{SIZE}"


@pytest.mark.parametrize(
    "header",
    ["bytes=2000000-", "bytes=-0", "bytes=50-10", "bytes=5-4", "bytes=" + "9" * 5000 + "-"],
)
def test_ranges_that_hold_nothing(header):
    with pytest.raises(RangeNotSatisfiable) as caught:
        decide(range=header)
    assert caught.value.headers == {"Content-Range": f"bytes */{SIZE}"}


@pytest.mark.parametrize(
    "header",
    ["bytes=0-1,5-6", "items=0-5", "bytes=abc-", "bytes=", "0-5", "bytes=-", "bytes", "", "bytes=1",
     "bytes=0 - 5", "bytes=+0-5", "bytes=0x1-5", "bytes=0-5,", "bytes=٣-٤", "bytes=1-2-3",
     "bytes:0-5", "bytes=--5", "bytes = 0-5"],
)  # fmt: skip
def test_ranges_that_are_ignored(header):
    decided = decide(range=header)
    assert (decided.status, decided.start, decided.length) == (200, 0, SIZE)
    assert "Content-Range" not in dict(decided.headers)


def test_an_empty_content_has_no_range():
    assert decide(size=0).length == 0
    for header in ("bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"):
        with pytest.raises(RangeNotSatisfiable):
            decide(size=0, range=header)
    assert decide(size=0, range="bytes=0-1,2-3").status == 200


def test_if_range():
    assert decide(range="bytes=0-1", if_range=ETAG).status == 206
    for other in ('"other"', f"W/{ETAG}", DATE, "", "*", "abc-1"):
        assert decide(range="bytes=0-1", if_range=other).status == 200, other
    assert decide(range="bytes=9999999-", if_range='"other"').status == 200


def test_head_ignores_ranges():
    decided = decide("HEAD", range="bytes=0-1")
    assert (decided.status, decided.length) == (200, SIZE)
    assert decide("HEAD", range="bytes=99999999-").status == 200


@pytest.mark.parametrize(
    "header", [ETAG, f"W/{ETAG}", "*", f'"x", {ETAG}', f'"x",W/"y" , W/{ETAG}', ' "a,b", "abc-1"']
)
def test_if_none_match_that_matches(header):
    for method in ("GET", "HEAD"):
        decided = decide(method, if_none_match=header, range="bytes=0-1")
        assert (decided.status, decided.length) == (304, 0)
        assert dict(decided.headers)["ETag"] == ETAG


@pytest.mark.parametrize("header", ['"x"', "abc-1", "", '"abc-1', 'W/"', '"' * 9999, "**"])
def test_if_none_match_that_does_not(header):
    assert decide(if_none_match=header).status == 200


def test_if_modified_since():
    assert decide(if_modified_since=DATE).status == 304
    assert decide(if_modified_since="Sun, 06 Nov 1994 08:49:38 GMT").status == 304
    assert decide(if_modified_since="Sun, 06 Nov 1994 08:49:36 GMT").status == 200
    assert decide(if_modified_since="Sun, 06 Nov 1994 08:49:37 -0000").status == 304
    for nonsense in ("", "yesterday", "0", "Sun, 99 Nov 1994", "Sun, 06 Nov 99999 08:49:37 GMT"):
        assert decide(if_modified_since=nonsense).status == 200, nonsense
    # with If-None-Match the date does not count (RFC 9110, 13.1.3)
    assert decide(if_modified_since=DATE, if_none_match='"x"').status == 200


@pytest.mark.parametrize("header", [ETAG, "*", f'"x", {ETAG}', f'W/"x",{ETAG}'])
def test_if_match_that_matches(header):
    assert decide(if_match=header, range="bytes=0-1").status == 206
    # with If-Match the date does not count (RFC 9110, 13.1.4)
    assert (
        decide(if_match=header, if_unmodified_since="Sun, 06 Nov 1994 08:49:36 GMT").status == 200
    )
    assert decide(if_match=header, if_none_match=ETAG).status == 304


@pytest.mark.parametrize("header", ['"x"', f"W/{ETAG}", "abc-1", ""])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_match_that_does_not(method, header):
    with pytest.raises(StageboxError) as caught:
        decide(method, if_match=header, range="bytes=0-1", if_none_match=ETAG)
    assert (caught.value.status, caught.value.code) == (412, "PRECONDITION_FAILED")


def test_if_unmodified_since():
    for later in (DATE, "Sun, 06 Nov 1994 08:49:38 GMT", "", "yesterday"):
        assert decide(if_unmodified_since=later).status == 200, later
    with pytest.raises(StageboxError) as caught:
        decide(if_unmodified_since="Sun, 06 Nov 1994 08:49:36 GMT")
    assert caught.value.status == 412


def test_validators_are_on_every_answer():
    for decided in (decide(), decide(range="bytes=0-1"), decide(if_none_match="*")):
        assert dict(decided.headers)["ETag"] == ETAG
        assert dict(decided.headers)["Last-Modified"] == DATE
        assert dict(decided.headers)["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("seconds", [None, float("inf"), float("nan"), 1e30, -1e30])
def test_times_that_have_no_date(seconds):
    assert http_date(seconds) is None
    assert plan("GET", {}, size=1, etag=ETAG, modified=seconds).status == 200


def reference(header, size):
    """The rules once more, byte by byte: which offsets are sent; None for all of them."""
    found = re.fullmatch(r"(?i:bytes)=([0-9]*)-([0-9]*)", header)
    if not found or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if not first:
        return [at for at in range(size) if at >= size - int(last)]
    return [at for at in range(size) if int(first) <= at and (not last or at <= int(last))]


numbers = st.one_of(
    st.integers(0, 40).map(str), st.sampled_from(["", "00", "007", "+1", "٣", " 1"])
)
headers = st.one_of(
    st.builds("{}={}-{}".format, st.sampled_from(["bytes", "Bytes", "items"]), numbers, numbers),
    st.text(alphabet="bytes=-,0123456789 ", max_size=20),
    st.text(max_size=20),
)


@settings(deadline=None)
@given(headers, st.integers(0, 30))
@example("bytes=-0", 0)
@example("bytes=5-4", 30)
def test_every_header_does_what_the_reference_does(header, size):
    expected = reference(header.strip(), size)
    if expected == []:
        with pytest.raises(RangeNotSatisfiable) as caught:
            parse_range(header, size)
        assert caught.value.headers["Content-Range"] == f"bytes */{size}"
        return
    span = parse_range(header, size)
    if span is None or expected is None:
        assert span is expected is None
        return
    start, length = span
    assert list(range(start, start + length)) == expected


@settings(deadline=None)
@given(st.dictionaries(
    st.sampled_from(["range", "if-range", "if-none-match", "if-modified-since", "if-match",
                     "if-unmodified-since"]),
    st.one_of(headers, st.sampled_from([ETAG, DATE, "*"]), st.text(max_size=60)),
), st.integers(0, 10), st.sampled_from(["GET", "HEAD"]))  # fmt: skip
def test_no_header_breaks_anything(named, size, method):
    try:
        decided = plan(method, named, size=size, etag=ETAG, modified=MODIFIED)
    except StageboxError as error:
        status = error.status
    else:
        status = decided.status
        assert 0 <= decided.start <= decided.start + decided.length <= size
    assert status in (200, 206, 304, 412, 416)
