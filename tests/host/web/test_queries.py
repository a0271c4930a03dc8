"""Typed query parameters."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from host.web.queries import QuerySchema
from plugin_sdk import Invalid, MissingParameter, Route

SCHEMA = {
    "type": "object",
    "required": ["need"],
    "properties": {
        "need": {"type": "string", "minLength": 1},
        "n": {"type": "integer", "minimum": 1, "maximum": 100},
        "x": {"type": "number", "exclusiveMinimum": 0},
        "flag": {"type": "boolean"},
        "word": {"enum": ["a", "b"]},
        "page": {"type": "integer", "default": 1},
        "ids": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
        "names": {"type": "array", "items": {"type": "string"}, "default": ["all"]},
        "either": {"type": ["integer", "string"]},
        "ref": {"$ref": "#/$defs/small"},
    },
    "$defs": {"small": {"type": "integer", "maximum": 9}},
}
TYPED = QuerySchema(SCHEMA)


def read(**params):
    return TYPED.read({"need": "y", **params})


def problems(schema=TYPED, /, **params):
    with pytest.raises(Invalid) as caught:
        schema.read(params)
    return [(problem.path, problem.message) for problem in caught.value.details]


def test_values_have_the_types_of_the_schema():
    query = read(n="7", x="1.5", flag="true", ids=["1,2", "3"], either="5", ref="9", more="m")
    assert (query["n"], query["x"], query["flag"], query["ids"]) == (7, 1.5, True, [1, 2, 3])
    assert (query["either"], query["ref"], query["more"]) == (5, 9, "m")
    assert query.all("ids") == ("1,2", "3")
    assert read(either="x")["either"] == "x"


def test_defaults_fill_what_is_missing():
    query = read()
    assert (query["page"], query["names"]) == (1, ["all"])
    query["names"].append("changed")
    assert read()["names"] == ["all"]
    assert read(page="2")["page"] == 2
    with pytest.raises(MissingParameter):
        query["n"]
    assert "n" not in query


def test_of_a_repeated_scalar_the_first_counts():
    query = read(n=["1", "2"])
    assert (query["n"], query.all("n")) == (1, ("1", "2"))


@pytest.mark.parametrize(
    "text",
    ["", " 5", "5 ", "+5", "1_0", "1e2", "1.0", "0x1", "٣", "--1", "-", "5\n", "²", "1" * 5000],
)
def test_what_is_no_integer(text):
    assert problems(need="y", n=text) == [("n", "must be an integer")]


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("-0", 0), ("007", 7)])
def test_what_is_an_integer(text, value):
    assert QuerySchema({"properties": {"n": {"type": "integer"}}}).read({"n": text})["n"] == value


@pytest.mark.parametrize(
    "text", ["", "abc", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1.", ".5", "+1", "01",
             " 1", "1 ", "1_0", "١", "[1]", "true", "1,2", "-"],
)  # fmt: skip
def test_what_is_no_number(text):
    assert problems(need="y", x=text) == [("x", "must be a number")]


@pytest.mark.parametrize("text", ["True", "1", "0", "", "yes", "TRUE", " true"])
def test_what_is_no_boolean(text):
    assert problems(need="y", flag=text) == [("flag", "must be true or false")]


def test_every_problem_is_listed():
    found = problems(n="0", x="0", flag="?", word="c", ids="1,x")
    assert dict(found) == {
        "need": "is missing",
        "n": "must be at least 1",
        "x": "must be greater than 0",
        "flag": "must be true or false",
        "word": "must be one of a, b",
        "ids": "must be an integer",
    }
    assert problems(need="y", ids="1,2,3,4") == [("ids", "must have at most 3 entries")]


def test_arrays():
    assert read(ids="")["ids"] == []
    assert read(names="a,b,,c")["names"] == ["a", "b", "", "c"]
    assert problems(need="y", ids="1,,2") == [("ids", "must be an integer")]


def test_strict_schemas_refuse_unknown_parameters():
    strict = QuerySchema({"properties": {"page": {"type": "integer"}},
                          "additionalProperties": False})  # fmt: skip
    (path, message), = problems(strict, pgae="1")  # fmt: skip
    assert path == "pgae"
    assert "page" in message


def test_a_route_declares_its_query(site):
    route = Route("GET", "/do", lambda r: dict(r.query), access="open", query=SCHEMA)
    site.add("x", route)
    base = "/api/plugins/x/do"
    assert site.get(base + "?need=y&n=5").json == {
        "need": "y", "n": 5, "page": 1, "names": ["all"],
    }  # fmt: skip
    reply = site.get(base + "?n=%2B5")
    assert reply.status == 400
    assert reply.json["error"] == "INVALID_REQUEST"
    assert {each["path"] for each in reply.json["details"]} == {"need", "n"}
    assert site.get(base).status == 400
    assert site.get(base + "?need=%FF&need=&&=&%ZZ&a").status == 200


LIMITED = {
    "type": "object",
    "required": ["r"],
    "properties": {
        "r": {"type": "string", "minLength": 1, "maxLength": 3},
        "n": {"type": "integer", "minimum": -2, "maximum": 5, "enum": [-3, 1, 2, 9]},
        "f": {"type": "number", "minimum": 0.5},
        "t": {"enum": ["a", "bb"]},
        "b": {"type": "boolean"},
    },
}
texts = st.one_of(
    st.sampled_from(["", "a", "bb", "true", "false", "1", "2", "-3", "9", "0.5", "0.25", "1e2"]),
    st.integers(-10, 10).map(str),
    st.floats(allow_nan=True).map(str),
    st.text(max_size=5),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["r", "n", "f", "t", "b", "z"]), texts))
def test_the_quick_way_and_the_validator_agree(params):
    """What the quick checks let through is exactly what the whole schema lets through."""
    values = {}
    for name, text in params.items():
        kind = LIMITED["properties"].get(name, {}).get("type", "string")
        if kind == "integer" and re.fullmatch(r"-?[0-9]+", text):
            values[name] = int(text)
        elif kind == "number" and re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?",
                                               text) and math.isfinite(float(text)):  # fmt: skip
            values[name] = json.loads(text)
        elif kind == "boolean" and text in ("true", "false"):
            values[name] = text == "true"
        else:
            values[name] = text
    fits = Draft202012Validator(LIMITED).is_valid(values)
    try:
        query = QuerySchema(LIMITED).read(params)
    except Invalid:
        assert not fits
    else:
        assert fits
        assert dict(query) == values


sent = st.one_of(st.text(max_size=20), st.lists(st.text(max_size=8), min_size=1))


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), sent))
def test_no_query_breaks_anything(params):
    try:
        TYPED.read(params)
    except Invalid as error:
        assert error.details  # noqa: PT017  # both outcomes are fine, but an error says where
