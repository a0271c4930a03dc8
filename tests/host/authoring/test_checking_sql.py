"""Values that are written into SQL are told from what may be put together."""

from __future__ import annotations

import ast

import pytest

from host.authoring.checking.habits import _is_composed


@pytest.mark.parametrize(
    ("code", "composed"),
    [
        ("f'SELECT * FROM t WHERE x = {x}'", True),
        ("f\"SELECT * FROM t WHERE x = '{x}'\"", True),
        ("f'SELECT * FROM t WHERE x LIKE {x} AND y = 1'", True),
        ("f'INSERT INTO t VALUES ({x})'", True),
        ("'SELECT * FROM t WHERE x = ' + x", True),
        ("'SELECT * FROM t WHERE x = ' + x + ' LIMIT 1'", True),
        ("'SELECT * FROM t WHERE x = %s' % x", True),
        ("'SELECT * FROM t WHERE x = {}'.format(x)", True),
        ("'SELECT * FROM t WHERE x = :x'", False),
        ("f'SELECT * FROM t WHERE x IN {listed}'", False),
        ("f'SELECT * FROM t ORDER BY {order} LIMIT :n'", False),
        ("f'SELECT * FROM t WHERE x = {LIMIT}'", False),
        ("'SELECT * FROM t ' + 'WHERE x = :x'", False),
        ("SELECT + listed", False),
    ],
)
def test_a_value_in_a_statement(code, composed):
    assert _is_composed(ast.parse(code, mode="eval").body) is composed
