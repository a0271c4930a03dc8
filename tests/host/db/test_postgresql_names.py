from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.db.postgresql.names import lock_key, name_of, schema_of
from plugin_sdk import Invalid

pytestmark = pytest.mark.one_engine

IDS = st.from_regex(r"[a-z][a-z0-9_-]{0,9}(\.[a-z0-9][a-z0-9_-]{0,9}){0,5}", fullmatch=True).filter(
    lambda name: len(name) <= 64
)


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("host", "stagebox_host"),
        ("songs", "stagebox_songs"),
        ("example.sound_board", "stagebox_example$sound_board"),
        ("sound-board", "stagebox_sound$$board"),
        ("a-.b--c", "stagebox_a$$$b$$$$c"),
    ],
)
def test_a_schema_is_named_after_its_plugin(name: str, schema: str) -> None:
    assert schema_of(name) == schema
    assert name_of(schema, None) == name


@given(name=IDS)
def test_any_name_can_be_read_back(name: str) -> None:
    schema = schema_of(name)
    assert len(schema) <= 63
    assert re.fullmatch(r"[a-z0-9_$~]+", schema)
    assert name_of(schema, name) == name
    assert "~" in schema or name_of(schema, None) == name


@given(one=IDS, other=IDS)
def test_two_names_have_two_schemas(one: str, other: str) -> None:
    assert (schema_of(one) == schema_of(other)) == (one == other)


def test_a_long_name_is_told_by_the_comment() -> None:
    names = [f"{'long.' * 11}{end}" for end in ("a", "b")]
    schemas = [schema_of(name) for name in names]
    assert schemas[0] != schemas[1]
    assert [name_of(schema, name) for schema, name in zip(schemas, names, strict=True)] == names
    assert name_of(schemas[0], None) is None
    assert name_of(schemas[0], names[1]) is None


@pytest.mark.parametrize(
    "schema",
    ["public", "stagebox", "stagebox_", "stagebox~0123", "stagebox_A", "stagebox_$", "stagebox_a$",
     "stagebox_a.b", "stagebox_ä", "stagebox_a~0123456789ab", "pg_catalog"],
)  # fmt: skip
def test_other_schemas_are_nobodys(schema: str) -> None:
    assert name_of(schema, None) is None
    assert name_of(schema, "songs") is None


def test_other_names_have_none() -> None:
    for name in ("", "A", "a..b", "a b", "x" * 65, 'a"b'):
        with pytest.raises(Invalid):
            schema_of(name)


@given(name=IDS)
def test_the_lock_is_a_number_of_64_bits(name: str) -> None:
    assert -(2**63) <= lock_key(name) < 2**63
    assert lock_key(name) != lock_key(name + "x")
