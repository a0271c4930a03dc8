"""JSON bodies: type, size, strictness, schema, and that nothing a client sends is a 5xx."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.web.problems import MAX_PROBLEMS
from plugin_sdk import ANY_TYPE, JSON, MULTIPART, Request, Route

PATH = "/api/plugins/x/do"
ITEM = {"type": "object", "required": ["b"], "properties": {"b": {"type": "integer"}}}
BODY = {
    "type": "object",
    "required": ["label", "n"],
    "properties": {
        "label": {"type": "string", "minLength": 1, "pattern": "^[a-z]+$"},
        "n": {"type": "integer"},
        "x": {"type": "number", "multipleOf": 0.5},
        "a": {"type": "array", "items": ITEM, "uniqueItems": True},
    },
}
GOOD = {"label": "abc", "n": 1}


@pytest.fixture
def echo(site):
    def add(**more):
        def handler(request: Request):
            return {"body": request.body}

        site.add("x", Route("POST", "/do", handler, access="open", **{"body": BODY, **more}))
        return lambda **sent: site.post(PATH, **sent)

    return add


def details(reply):
    assert reply.status == 400, reply.body
    return {each["path"]: each["message"] for each in reply.json["details"]}


def test_a_good_body_reaches_the_handler(echo):
    post = echo()
    assert post(json={**GOOD, "more": None}).json == {"body": {**GOOD, "more": None}}
    assert post(body=json.dumps(GOOD).encode(), Content_Type="Application/JSON; charset=utf-8")


def test_every_problem_has_its_path(echo):
    post = echo()
    body = {"n": "1", "x": 0.3, "a": [{"b": 1}, {}, {"b": True}, 5]}
    assert details(post(json=body)) == {
        "label": "is missing",
        "n": "must be an integer",
        "x": "must be a multiple of 0.5",
        "a.1.b": "is missing",
        "a.2.b": "must be an integer",
        "a.3": "must be an object",
    }
    assert details(post(json=[1])) == {"": "must be an object"}
    assert details(post(json=None, body=b"null", Content_Type=JSON)) == {"": "must be an object"}


@pytest.mark.parametrize("number", ["1.0", "true", "1e0", '"1"', "null", "-0.0"])
def test_an_integer_has_neither_fraction_nor_exponent(echo, number):
    body = b'{"label": "a", "n": %b}' % number.encode()
    assert "n" in details(echo()(body=body, Content_Type=JSON))


def test_booleans_are_no_numbers(echo):
    assert "x" in details(echo()(json={**GOOD, "x": True}))


def test_a_pattern_ends_where_the_text_ends(echo):
    assert "label" in details(echo()(json={**GOOD, "label": "abc\n"}))


def test_messages_do_not_repeat_what_was_sent(echo):
    secret = "hunter2-hunter2"
    reply = echo()(json={"label": secret, "n": secret, "x": secret, "a": [secret, secret]})
    assert secret.encode() not in reply.body


@pytest.mark.parametrize(
    "body",
    [
        b"", b"   ", b"{", b"nonsense", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}',
        b'{"a": "\\ud800"}', b'{"a": "\\u0000"}', b"\xff\xfe", b"{} {}", b"[" * 100_000,
        b"[" * 33 + b"]" * 33, b'{"n": ' + b"1" * 6000 + b"}", b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_what_is_no_json_is_400(echo, body):
    reply = echo()(body=body, Content_Type=JSON)
    assert (reply.status, reply.json["error"]) == (400, "INVALID_REQUEST")
    assert "details" not in reply.json


def test_nesting_up_to_32_is_fine(site):
    site.add("x", Route("POST", "/do", lambda r: r.body, access="open", body={}))
    assert site.post(PATH, body=b"[" * 32 + b"]" * 32, Content_Type=JSON).status == 200


def test_of_duplicate_keys_the_last_wins(echo):
    reply = echo()(body=b'{"label": "a", "n": 1, "n": 2}', Content_Type=JSON)
    assert reply.json["body"]["n"] == 2


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json",
     "application/json-patch+json", "*/*", "application/*", ";", "application/jsonx"],
)  # fmt: skip
def test_other_types_are_415(echo, content_type):
    reply = echo()(body=b"{}", Content_Type=content_type)
    assert (reply.status, reply.json["error"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert "application/json" in reply.json["message"]


def test_no_type_is_415_with_a_body_and_400_without_a_needed_one(echo):
    post = echo()
    assert post(body=b"{}").status == 415
    assert post(body=b"").status == 400
    assert post().status == 400


def test_an_optional_body_may_be_absent(echo):
    post = echo(body_required=False)
    assert post().json == {"body": None}
    assert post(body=b"").json == {"body": None}
    assert post(body=b"", Content_Type=JSON).json == {"body": None}
    assert post(json=GOOD).json == {"body": GOOD}
    assert post(body=b"{}").status == 415
    assert post(body=b"{}", Content_Type=JSON).status == 400


def test_any_type_is_read_by_its_content(echo):
    post = echo(consumes=(ANY_TYPE,))
    content = json.dumps(GOOD).encode()
    for headers in ({}, {"Content_Type": "text/plain"}, {"Content_Type": "multipart/form-data"}):
        assert post(body=content, **headers).json == {"body": GOOD}
    assert post(body=b"").status == 400


def test_several_types(site):
    seen: list[Request] = []
    route = Route(
        "POST", "/do", lambda r: seen.append(r), access="open", body=BODY,
        consumes=(JSON, MULTIPART, "audio/*", "application/octet-stream"),
    )  # fmt: skip
    site.add("x", route)
    assert site.post(PATH, json=GOOD).status == 204
    assert site.post(PATH, json={}).status == 400
    form = b'--q\r\nContent-Disposition: form-data; name="f"\r\n\r\nv\r\n--q--\r\n'
    assert site.post(PATH, body=form, Content_Type="multipart/form-data; boundary=q").status == 204
    assert site.post(PATH, body=b"\x00", Content_Type="audio/ogg").status == 204
    assert site.post(PATH, body=b"\x00", Content_Type="Application/Octet-Stream").status == 204
    assert site.post(PATH, body=b"\x00", Content_Type="video/ogg").status == 415
    assert [request.body for request in seen] == [GOOD, None, None, None]
    assert seen[1].form is not None
    assert seen[1].form.fields == {"f": "v"}
    assert seen[0].form is None


def test_get_ignores_a_body(site):
    site.add("x", Route("GET", "/do", lambda r: {}, access="open", body=BODY))
    assert site.get(PATH, body=b"nonsense").status == 200


def test_a_large_body_is_413_before_it_is_read(site):
    site.add("x", Route("POST", "/do", lambda r: {}, access="open", body=BODY, max_body=100))

    class Untouched(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("nobody reads this")

    environ = site.environ("POST", PATH)
    environ.update({"CONTENT_LENGTH": "101", "CONTENT_TYPE": JSON, "wsgi.input": Untouched()})
    reply = site.call(environ)
    assert (reply.status, reply.json["error"]) == (413, "PAYLOAD_TOO_LARGE")
    body = json.dumps(GOOD).encode().ljust(100)
    assert site.post(PATH, body=body, Content_Type=JSON).status == 200


class Drip(io.BytesIO):
    """A stream that gives one byte at a time, as a socket may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(1 if size else size)


def test_bodies_without_a_length(site):
    site.add("x", Route("POST", "/do", lambda r: r.body, access="open", body=BODY, max_body=100))

    def post(content: bytes, **more: object):
        environ = site.environ("POST", PATH)
        environ.update({"CONTENT_TYPE": JSON, "wsgi.input": Drip(content), **more})
        return site.call(environ)

    whole = json.dumps(GOOD).encode()
    assert post(whole, **{"wsgi.input_terminated": True}).json == GOOD
    assert post(whole.ljust(101), **{"wsgi.input_terminated": True}).status == 413
    assert post(whole).status == 400  # PEP 3333: without a length there is no body
    assert post(whole, CONTENT_LENGTH=str(len(whole))).json == GOOD
    assert post(whole[:5], CONTENT_LENGTH=str(len(whole))).status == 400
    for bad in ("x", "-1", "+1", "1" * 30, "١"):
        assert post(whole, CONTENT_LENGTH=bad).status == 400, bad


def test_no_body_is_told_of_more_problems_than_anybody_reads(echo):
    many = {**GOOD, "a": [5] * 50_000}
    reply = echo(body={**BODY, "properties": {"a": {"items": ITEM}}})(json=many)
    assert len(reply.json["details"]) == MAX_PROBLEMS


def test_numbers_beyond_everything(echo):
    huge = b'{"label": "a", "n": 1, "x": ' + b"9" * 4000 + b"}"
    assert echo()(body=huge, Content_Type=JSON).status == 400


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.one_of(st.sampled_from(list(BODY["properties"])), st.text(max_size=5)), inner,
        max_size=4),
    max_leaves=12,
)  # fmt: skip
contents = st.one_of(
    values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=60),
    st.text(alphabet='{}[]",:0123456789.eE+-\\untrfals ', max_size=60).map(str.encode),
)


@settings(max_examples=200)
@given(contents, st.sampled_from([JSON, "", "text/plain", "multipart/form-data; boundary=x"]))
def test_whatever_is_sent_is_no_fault_of_the_host(make_site, content, content_type):
    site = make_site()
    for path, consumes in (("/json", (JSON,)), ("/any", (ANY_TYPE,)), ("/both", (JSON, MULTIPART))):
        route = Route("POST", path, lambda r: {"body": r.body, "fields": r.form and r.form.fields},
                      access="open", body=BODY, consumes=consumes)  # fmt: skip
        site.add(path[1:], route)
        reply = site.post(f"/api/plugins{path}{path}", body=content, Content_Type=content_type)
        assert reply.status in (200, 400, 415), (path, reply.body)
        assert site.log.records == []
