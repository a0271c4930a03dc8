"""What a handler that fails leaves on the wire."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import Any

import pytest

from plugin_sdk import (
    CapabilityMissing,
    Conflict,
    Forbidden,
    Invalid,
    Problem,
    ProviderUnavailable,
    RateLimited,
    Request,
    Response,
    Route,
    StageboxError,
    Unauthenticated,
)

from .conftest import PATH, add, raiser


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid("bad"), 400, "INVALID_REQUEST"),
        (Unauthenticated(), 401, "UNAUTHORIZED"),
        (Unauthenticated("no", code="INVALID_CREDENTIALS"), 401, "INVALID_CREDENTIALS"),
        (Forbidden(), 403, "FORBIDDEN"),
        (Conflict("taken", code="LAST_ADMIN"), 409, "LAST_ADMIN"),
        (RateLimited(retry_after=0.2), 429, "TOO_MANY_REQUESTS"),
        (ProviderUnavailable(), 503, "PROVIDER_UNAVAILABLE"),
    ],
)
def test_errors_on_purpose_are_answers(site, error, status, code):
    published = add(site, raiser(error))
    reply = site.get(PATH)
    assert (reply.status, reply.json["error"]) == (status, code)
    assert reply.json["message"] == error.message
    assert reply.headers["cache-control"] == "no-store"
    assert "incident" not in reply.json
    assert published.gate.failures == 0
    assert site.log.records == []
    assert ("www-authenticate" in reply.headers) == (code == "UNAUTHORIZED")
    assert reply.headers.get("retry-after") == ("1" if status == 429 else None)


def test_details_list_every_problem(site):
    add(site, raiser(Invalid("bad", details=[Problem("a.2.b", "is odd"), Problem("", "is bad")])))
    assert site.get(PATH).json["details"] == [
        {"path": "a.2.b", "message": "is odd"},
        {"path": "", "message": "is bad"},
    ]


@pytest.mark.parametrize("error", [RuntimeError("secret 4711"), SystemExit(3), KeyError("secret")])
def test_a_failing_handler_is_500_with_an_incident_and_no_word_of_why(site, error):
    published = add(site, raiser(error))
    reply = site.get(PATH)
    assert reply.status == 500
    incident = reply.json["incident"]
    assert len(incident) == 12
    assert int(incident, 16) >= 0
    assert reply.json["error"] == "INTERNAL_ERROR"
    assert b"secret" not in reply.body
    (record,) = site.log.records
    assert record.levelno == logging.ERROR
    assert record.incident == incident
    assert record.plugin == "x"
    assert record.request == reply.headers["x-request-id"]
    assert record.exc_info[1] is error
    assert (published.gate.failures, published.gate.inside) == (1, 0)


def test_an_intended_500_counts_as_a_failure(site):
    published = add(site, raiser(CapabilityMissing("db", "x")))
    reply = site.get(PATH)
    assert (reply.status, reply.json["error"]) == (500, "CAPABILITY_MISSING")
    assert reply.json["incident"] == site.log.records[0].incident
    assert published.gate.failures == 1


def test_an_interrupt_passes_and_leaves_the_gate(site):
    published = add(site, raiser(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        site.get(PATH)
    assert (published.gate.inside, site.slots.used) == (0, 0)


@pytest.mark.parametrize(
    "result",
    [
        object(),
        b"bytes",
        {"a": {1, 2}},
        {("a",): 1},
        float("nan"),
        MappingProxyType({}),
        Response({"a": object()}),
        Response({}, status=99),
        Response({}, status=600),
        Response({}, status="200"),
        Response({}, headers={"X": "a\r\nSet-Cookie: b"}),
        Response({}, headers={"X": "☃"}),
        Response({}, headers={"X Y": "1"}),
        Response({}, headers={"X": 1}),
        Response({}, headers={"Connection": "close"}),
        Response({}, headers={"Transfer-Encoding": "chunked"}),
        Response.data(b"", "text/plain\r\nX: y"),
        Response.stream("text"),
        Response.stream([1]),
        Response.stream(5),
    ],
)
def test_what_cannot_be_sent_is_a_failure_of_the_plugin(site, result):
    published = add(site, lambda _request: result)
    reply = site.get(PATH)
    assert (reply.status, reply.json["error"]) == (500, "INTERNAL_ERROR")
    assert published.gate.failures == 1
    assert published.gate.inside == 0
    assert reply.headers["content-type"] == "application/json"


def test_a_circle_is_a_failure_too(site):
    circle: list[Any] = []
    circle.append(circle)
    add(site, lambda _request: circle)
    assert site.get(PATH).status == 500


def test_a_fault_before_the_handler_is_not_the_plugins(site):
    published = add(site, lambda _request: {}, access="signed-in")
    site.access.broken = True
    reply = site.get(PATH)
    assert (reply.status, reply.json["error"]) == (500, "INTERNAL_ERROR")
    assert b"secret" not in reply.body
    assert published.gate.failures == 0
    assert site.log.records[0].plugin == ""


def test_error_body_words_the_errors_of_its_plugin(site):
    def error_body(error: StageboxError, request: Request) -> Any:
        return {"status_code": error.status, "id": request.params.get("id"), "at": request.id}

    def handler(request: Request) -> Any:
        raise RuntimeError if request.params["id"] == "boom" else Conflict("no")

    site.add("x", Route("GET", "/do/{id}", handler, access="open"), error_body=error_body)
    reply = site.get(PATH + "/7")
    assert reply.json == {"status_code": 409, "id": "7", "at": reply.headers["x-request-id"]}
    reply = site.get(PATH + "/boom")
    assert reply.json["status_code"] == 500
    assert reply.json["incident"] == site.log.records[0].incident


@pytest.mark.parametrize(
    "broken",
    [
        lambda e, r: 1 / 0,
        lambda e, r: object(),
        lambda e: None,
        lambda e, r: Response({}, content_type="a\r\nb"),
    ],
)
def test_a_failing_error_body_falls_back_to_the_hosts_shape(site, broken):
    add(site, raiser(Conflict("no")), error_body=broken)
    assert site.get(PATH).json == {"error": "CONFLICT", "message": "no"}
    assert "error_body failed" in site.log.messages[0]
    assert site.get(PATH + "/x").json["error"] == "NOT_FOUND"


def test_error_body_may_say_its_type(site):
    def error_body(error: StageboxError, _request: Request) -> Response:
        return Response({"code": error.code}, content_type="application/json; charset=UTF-8")

    add(site, raiser(RuntimeError("no")), error_body=error_body)
    reply = site.get(PATH)
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    assert reply.json == {"code": "INTERNAL_ERROR", "incident": site.log.records[0].incident}
    assert site.get(PATH + "/x").json == {"code": "NOT_FOUND"}
    status, headers, body = site.layer.render_error(413, "PAYLOAD_TOO_LARGE", "No.", PATH, {})
    assert (status, body) == (413, b'{"code":"PAYLOAD_TOO_LARGE"}')
    assert dict(headers)["content-type"] == "application/json; charset=UTF-8"
    reply = site.get(PATH, host="evil.example")
    assert (reply.status, reply.headers["content-type"][-5:]) == (403, "UTF-8")


def test_error_body_may_keep_the_hosts_shape(site):
    add(site, raiser(Conflict("no")), error_body=lambda error, request: None)
    assert site.get(PATH).json == {"error": "CONFLICT", "message": "no"}


def test_headers_of_errors(site):
    error = Invalid("x", headers={"X-A": "1", "Content-Type": "application/problem+json"})
    add(site, raiser(error))
    reply = site.get(PATH)
    assert reply.headers["x-a"] == "1"
    assert reply.headers["content-type"] == "application/problem+json"
    add(site, raiser(Invalid("x", headers={"X-A": "1\r\nB: 2", "Connection": "close"})))
    reply = site.get(PATH)
    assert reply.status == 400
    assert "x-a" not in reply.headers
    assert len(site.log.records) == 2
