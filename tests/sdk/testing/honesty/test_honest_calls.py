"""What a fake context tells and runs, a real host does alike: events, jobs, hooks."""

from __future__ import annotations

from contextlib import suppress

import pytest

from plugin_sdk import (
    Context,
    Invalid,
    NotFound,
)
from tests.sdk.testing.honesty.boards import Board, refused


def test_events(board: Board) -> None:
    events, data = board.context.events, board.context.data
    events.emit("board.added", {"labels": ["boo"]})
    with data.transaction():
        events.emit("board.renamed")
        with suppress(ZeroDivisionError), data.transaction():
            events.emit("board.lost")
            raise ZeroDivisionError
    events.emit("board.broken")
    events.emit("board.cleared")
    assert events.settle(60.0) is True
    names = [event.name.removeprefix("board.") for event in board.heard]
    assert names == ["added", "renamed", "broken", "cleared"]
    first = board.heard[0]
    assert (first.data, first.source) == ({"labels": ["boo"]}, "board")
    assert board.heard[1].data == {}
    assert len({event.id for event in board.heard}) == 4
    assert isinstance(first.at, int)


@pytest.mark.parametrize("name", ["added", "boards.added", "board.", "board.A", "board.a.b"])
def test_event_names_that_arerefused(context: Context, name: str) -> None:
    refused(Invalid, lambda: context.events.emit(name))


def test_event_data_that_arerefused(context: Context) -> None:
    for data in ([1], "a", {"a": object()}, {"a": "x" * 300_000}):
        refused(Invalid, lambda data=data: context.events.emit("board.added", data))


def test_jobs(context: Context) -> None:
    jobs = context.jobs
    started = jobs.start("count", {"to": 3}, key="k")
    done = jobs.wait(started.id, 60.0)
    assert (done.state, done.result) == ("succeeded", {"to": 3, "saved": None, "attempt": 1})
    assert (done.done, done.total, done.text, done.key) == (3, 9, "at work", "k")
    assert (done.attempt, done.error, done.cancel_requested) == (1, None, False)
    assert (done.plugin_id, done.name, done.args) == ("board", "count", {"to": 3})
    assert done.started_at is not None
    assert done.finished_at is not None
    assert jobs.get(started.id) == done
    assert jobs.cancel(started.id) is False
    assert jobs.start("count", {"to": 4}, key="k").id != started.id
    assert [info.args["to"] for info in jobs.list(limit=2)] == [4, 3]
    refused(
        NotFound,
        lambda: jobs.start("missing"),
        lambda: jobs.get("x"),
        lambda: jobs.cancel("x"),
        lambda: jobs.wait("x"),
    )
    refused(Invalid, lambda: jobs.start("count", {"to": object()}))


def test_jobs_that_fail(context: Context) -> None:
    failed = context.jobs.wait(context.jobs.start("count", {"to": 10}).id, 60.0)
    assert (failed.state, failed.error, failed.attempt) == ("failed", "Too far.", 1)
    other = context.jobs.wait(context.jobs.start("count", {}).id, 60.0)
    assert (other.state, other.error) == ("failed", "KeyError: 'to'")


def test_hooks(context: Context) -> None:
    hooks = context.hooks
    [answer] = hooks.call("board_volume", sound="boo", loud=True)
    assert (answer.plugin_id, answer.value, answer.error) == ("board", 2.0, None)
    [failed] = hooks.call("board_volume", sound="broken", loud=True)
    assert (failed.value, type(failed.error)) == (None, ZeroDivisionError)
    assert hooks.first("board_volume", sound="other", loud=True) is None
    assert hooks.first("board_volume", sound="boo", loud=True) == 2.0
    refused(ZeroDivisionError, lambda: hooks.first("board_volume", sound="broken", loud=True))
