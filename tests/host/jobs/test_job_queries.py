"""Every query of the job service is answered by an index, whatever the table's size: as SQLite
explains it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from host.db import Engine
from host.jobs import JobService, store

pytestmark = pytest.mark.one_engine

Plan = Callable[[str, dict[str, Any]], list[str]]

STATEMENTS: dict[str, dict[str, Any]] = {
    store.HEADS: {"now": 1},
    store.COUNT_RUNNING: {"kind": "a/x"},
    store.CLAIM: {"owner": "o", "now": 1, "number": 1},
    store.BY_ID: {"id": "i"},
    store.BY_KEY: {"kind": "a/x", "key": "k"},
    store.CANCELS: {"owner": "o"},
    store.LOST: {},
    store.PRUNE: {"kind": "a/x", "keep": 1000},
    store._TAKE_OVER: {"now": 1, "lost": ""},
    store._SAVE: {
        "saved": "",
        "done": 0,
        "total": 0,
        "text": "",
        "number": 1,
        "owner": "o",
        "attempt": 1,
    },
}


@pytest.fixture
def plan(engine: Engine, make_service: Callable[..., JobService]) -> Plan:
    make_service(start=False)._prepare()

    def explain(sql: str, params: dict[str, Any]) -> list[str]:
        rows = engine.open("host").query(f"EXPLAIN QUERY PLAN {sql}", params)
        return [row["detail"] for row in rows]

    return explain


@pytest.mark.parametrize("sql", STATEMENTS, ids=lambda sql: " ".join(sql.split())[:50])
def test_a_statement_is_indexed(plan: Plan, sql: str) -> None:
    lines = plan(sql, STATEMENTS[sql])
    assert lines
    for line in lines:
        assert not line.startswith(f"SCAN {store.JOBS}"), lines
        assert "TEMP B-TREE" not in line or sql is store.PRUNE, lines


def test_the_next_job_is_found_however_long_the_queue_is(plan: Plan) -> None:
    lines = " ".join(plan(store.HEADS, {"now": 1}))
    assert "_stagebox_jobs_turn (state=? AND kind>?)" in lines, "from kind to kind"
    assert "_stagebox_jobs_turn (state=? AND kind=? AND run_after<?)" in lines


@pytest.mark.parametrize(
    ("plugin", "kind", "state"),
    list(itertools.product(["a", None], ["a/x", None], ["failed", "queued", None])),
)
def test_a_list_is_indexed_and_not_sorted(plan: Plan, plugin: Any, kind: Any, state: Any) -> None:
    sql, params = store.list_query(plugin, kind, state)
    (line,) = plan(sql, {**params, "limit": 100})
    if params:
        assert line.startswith("SEARCH"), line
    assert "TEMP B-TREE" not in line
