"""Posts that are committed together do not share their faults."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from builtin_plugins.rooms.access import digest_of
from builtin_plugins.rooms.posting import Draft, _Post
from plugin_sdk import DatabaseUnavailable, Unavailable


class Together:
    """Has all posts wait for somebody who stores, so that they go into one transaction."""

    def __init__(self, posting: Any) -> None:
        self._posting = posting

    def post(
        self,
        wait_until: Callable[..., None],
        calls: list[Callable[[], Any]],
        meanwhile: Callable[[], object] = lambda: None,
    ) -> list[Any]:
        outcomes: list[Any] = [None] * len(calls)

        def run(at: int) -> None:
            outcomes[at] = calls[at]()

        threads = [threading.Thread(target=run, args=(at,)) for at in range(len(calls))]
        self._posting._busy = True
        for number, thread in enumerate(threads, 1):
            thread.start()
            wait_until(lambda number=number: len(self._posting._queue) == number)
        meanwhile()
        self._posting._queue[0].turn.release()
        for thread in threads:
            thread.join()
        assert not self._posting._busy
        return outcomes


def test_each_gets_its_own_answer(
    rooms: Any, refused: Callable[..., int], wait_until: Callable[..., None]
) -> None:
    rooms.set(rateLimitSeconds=3600)
    room, other, gone = rooms.add(), rooms.add(), rooms.add()
    people = [rooms.client(room, other, gone) for _ in range(4)]
    for _ in range(5):
        people[1].post(room)
    targets = [room, room, gone, other]
    statuses = Together(rooms.plugin.posting).post(
        wait_until,
        [
            lambda person=person, target=target: refused(person.post, target)
            for person, target in zip(people, targets, strict=True)
        ],
        lambda: rooms.plugin.store.remove_room(gone),
    )
    assert statuses == [200, 429, 404, 200]
    assert [each["server_id"] for each in people[0].messages(room)] == [6, 5, 4, 3, 2, 1]
    assert len(people[0].messages(other)) == 1


def test_what_happens_while_a_post_waits_counts(
    rooms: Any, refused: Callable[..., int], wait_until: Callable[..., None]
) -> None:
    room = rooms.add()
    boss = rooms.moderator(room)
    people = [rooms.client(room) for _ in range(4)]

    def meanwhile() -> None:
        boss.ban(room, people[0].key)
        rooms.client().ask("DELETE", "/auth_token", room, token=people[1].tokens[room])
        rooms.client(room)

    calls = [lambda person=person: refused(person.post, room) for person in people]
    together = Together(rooms.plugin.posting)
    assert together.post(wait_until, calls, meanwhile) == [403, 401, 200, 200]
    assert [each["server_id"] for each in people[2].messages(room)] == [2, 1]


def test_the_fault_of_one_is_not_that_of_others(
    rooms: Any,
    refused: Callable[..., int],
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = rooms.add()
    people = [rooms.client(room) for _ in range(3)]
    posting = rooms.plugin.posting
    original = posting._tell

    def tell(caller: Any, row: Any) -> None:
        original(caller, row)
        if caller.key == people[1].key:
            raise RuntimeError("after everything was written")

    monkeypatch.setattr(posting, "_tell", tell)
    together = Together(posting)
    calls = [lambda person=person: refused(person.post, room) for person in people]
    assert together.post(wait_until, calls) == [200, 500, 200]
    assert [each["server_id"] for each in people[0].messages(room)] == [2, 1]


def test_what_is_torn_away_is_not_answered_as_stored(
    rooms: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    posting = rooms.plugin.posting
    caller = rooms.plugin.access.judge(room, digest_of(alice.tokens[room]))
    posts = [_Post(caller, Draft("eA==", "A" * 86 + "==")) for _ in range(2)]
    original = posting._attempt

    def attempt(post: Any) -> None:
        original(post)
        if post is posts[1]:
            raise SystemExit

    monkeypatch.setattr(posting, "_attempt", attempt)
    with pytest.raises(SystemExit):
        posting._store(posts)
    assert [(post.message, type(post.error)) for post in posts] == [("", Unavailable)] * 2
    assert alice.messages(room) == []


def test_a_database_that_is_away_is_so_for_all(
    rooms: Any,
    refused: Callable[..., int],
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = rooms.add()
    people = [rooms.client(room) for _ in range(3)]
    tried = []

    def away() -> Any:
        tried.append(1)
        raise DatabaseUnavailable

    monkeypatch.setattr(rooms.plugin.core, "transaction", away)
    together = Together(rooms.plugin.posting)
    calls = [lambda person=person: refused(person.post, room) for person in people]
    assert together.post(wait_until, calls) == [503] * 3
    assert len(tried) == 1
    monkeypatch.undo()
    assert people[0].post(room)["server_id"] == 1
