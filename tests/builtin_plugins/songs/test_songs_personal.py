"""Scores, favourites and loops; deletion, and parameters of the library."""

from __future__ import annotations

from typing import Any

import pytest

from builtin_plugins.songs.identity import track_id_of
from plugin_sdk import (
    ANONYMOUS,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
)
from plugin_sdk.testing import signed_in

ADMIN = signed_in("ADMIN", profile_id=9, name="Root")
NOBODY = track_id_of("nobody")
NO_LOOPS: list[tuple[Any, Any]] = [
    (2, 1),
    (1, 1),
    (-1, 1),
    (0, 86401),
    ("0", 1),
    (True, 2),
    (None, 1),
]
BAD_QUERIES: list[dict[str, Any]] = [
    {"page": "-1"},
    {"page": "1.0"},
    {"page": ""},
    {"page": " 1"},
    {"page": "1234567890"},
    {"page": ["1", "1"]},
    {"size": "0"},
    {"size": "201"},
    {"sort": "Artist"},
    {"format": "mp3"},
    {"has_lyrics": "yes"},
    {"q": "x" * 201},
    {"q": ["a", "b"]},
]


class Profiles:
    """Offered by accounts."""

    def name(self, profile_id: int) -> str | None:
        return {1: "Alice", 2: "Bob", 9: "Root"}.get(profile_id)


@pytest.fixture
def people(context: Any) -> None:
    context.services.add("accounts.profiles", Profiles())


# Scores


def score(book: Any, track: str, value: Any, **options: Any) -> Any:
    body = {"score": value, **options.pop("body", {})}
    return book.ask("POST", "submit_score", track, body=body, **options).body


def test_the_best_score_stays(book: Any) -> None:
    track = book.add("a", title="T", artist="A")
    first = score(book, track, 60)
    assert (first["bestScore"], first["playCount"], first["profileId"]) == (60, 1, 1)
    book.context.clock.advance(60)
    lower = score(book, track, 10)
    assert (lower["bestScore"], lower["playCount"]) == (60, 2)
    assert lower["lastPlayedAt"] > first["lastPlayedAt"]
    assert score(book, track, 95)["bestScore"] == 95
    assert book.told("songs.score_submitted")[1] == {
        "trackId": track,
        "score": 10,
        "profileId": 1,
        "playerName": "Alice",
        "title": "T",
        "artist": "A",
        "submittedAt": lower["lastPlayedAt"],
    }


def test_a_score_is_an_integer_to_100(book: Any) -> None:
    for value in (-1, 101, 1.0, True, "5", None):
        with pytest.raises(Invalid) as caught:
            score(book, NOBODY, value)
        assert [problem.path for problem in caught.value.details] == ["score"], value


def test_many_scores_at_once(book: Any, at_once: Any) -> None:
    track = book.add("a")
    at_once(8, lambda: [score(book, track, each) for each in (3, 80, 40)])
    last = score(book, track, 0)
    assert (last["playCount"], last["bestScore"]) == (25, 80)


def test_scores_of_others(book: Any, people: None) -> None:
    track = book.add("a")
    with pytest.raises(Forbidden):
        score(book, track, 5, body={"profileId": 2})
    with pytest.raises(Invalid):  # fields first
        score(book, track, 500, body={"profileId": 2})
    assert score(book, track, 5, body={"profileId": 2}, as_=ADMIN)["profileId"] == 2
    assert book.told("songs.score_submitted")[-1]["playerName"] == "Bob"
    with pytest.raises(NotFound):
        score(book, track, 5, body={"profileId": 77}, as_=ADMIN)
    with pytest.raises(NotFound):
        score(book, NOBODY, 5)
    with pytest.raises(Forbidden) as caught:
        score(book, track, 5, as_=signed_in())
    assert caught.value.code == "PROFILE_REQUIRED"


def test_scores_of_many_tracks(book: Any) -> None:
    tracks = [book.add(str(number)) for number in range(5)]
    for track in tracks[:3]:
        score(book, track, 50)
    ids = [*tracks, NOBODY, "no id at all", tracks[0]]
    found = book.ask("POST", "scores", body={"trackIds": ids})
    assert set(found) == set(tracks[:3])
    assert set(found[tracks[0]]) == {"bestScore", "playCount", "lastPlayedAt"}
    assert book.ask("POST", "scores", body={"trackIds": []}) == {}
    assert book.ask("POST", "scores", body={"trackIds": tracks}, as_=ADMIN) == {}
    for wrong in (["x"] * 501, "x", None, [1]):
        with pytest.raises(Invalid):
            book.ask("POST", "scores", body={"trackIds": wrong})


# Favourites


def toggle(book: Any, track: str, **options: Any) -> Any:
    body = {"trackId": track, **options.pop("body", {})}
    return book.ask("POST", "toggle_favorite", body=body, **options)


def test_favourites_are_a_profiles_own(book: Any) -> None:
    track = book.add("a")
    assert toggle(book, track) == {"trackId": track, "favorite": True}
    assert toggle(book, track, as_=ADMIN)["favorite"] is True
    assert toggle(book, track)["favorite"] is False
    assert book.told("songs.favorite_changed")[-1] == {
        "trackId": track,
        "profileId": 1,
        "favorite": False,
    }
    with pytest.raises(NotFound):
        toggle(book, NOBODY)
    with pytest.raises(Invalid):
        toggle(book, 5)  # type: ignore[arg-type]


def test_toggles_at_once_alternate(book: Any, at_once: Any) -> None:
    track = book.add("a")
    answers = [each["favorite"] for each in at_once(9, lambda: toggle(book, track))]
    assert sorted(answers) == [False] * 4 + [True] * 5
    assert toggle(book, track)["favorite"] is False


# Loops


def loop(book: Any, track: str, start: Any = 1, end: Any = 2, **options: Any) -> Any:
    body = {"start_time": start, "end_time": end, **options.pop("body", {})}
    return book.ask("POST", "add_loop", track, body=body, **options).body


def loops(book: Any, track: str, **options: Any) -> Any:
    return book.ask("GET", "loops", track, **options)


def test_loops(book: Any) -> None:
    track = book.add("a")
    first = loop(book, track, 1, 2.5)
    assert first == {
        "id": first["id"],
        "name": "Loop 1",
        "startTime": 1,
        "endTime": 2.5,
        "trackId": track,
        "profileId": 1,
        "createdAt": first["createdAt"],
    }
    solo = loop(book, track, body={"name": "  Solo "})
    third = loop(book, track, body={"name": "  "})
    assert (solo["name"], third["name"]) == ("Solo", "Loop 2")
    assert [each["id"] for each in loops(book, track)] == [first["id"], solo["id"], third["id"]]
    others = loops(book, track, as_=ADMIN)
    assert others == []
    assert len(loops(book, track, as_=signed_in(), query={"profileId": "1"})) == 3
    with pytest.raises(Invalid):
        loops(book, track, as_=signed_in())
    with pytest.raises(NotFound):
        loops(book, NOBODY)
    book.ask("DELETE", "delete_loop", params={"loop_id": str(first["id"])})
    assert loop(book, track)["name"] == "Loop 1"
    with pytest.raises(NotFound):
        book.ask("DELETE", "delete_loop", params={"loop_id": str(first["id"])})


def test_loops_that_are_none(book: Any) -> None:
    for start, end in NO_LOOPS:
        with pytest.raises(Invalid):
            loop(book, NOBODY, start, end)


def test_whose_loops_may_be_deleted(book: Any) -> None:
    track = book.add("a")
    number = str(loop(book, track)["id"])
    bob = signed_in(profile_id=2)
    with pytest.raises(NotFound):
        book.ask("DELETE", "delete_loop", params={"loop_id": number}, as_=bob)
    book.ask("DELETE", "delete_loop", params={"loop_id": number}, as_=ADMIN)
    with pytest.raises(NotFound):
        book.ask("DELETE", "delete_loop", params={"loop_id": "9" * 30})
    for wrong in ("0", "x", "-1", "1.5"):
        with pytest.raises(Invalid):
            book.ask("DELETE", "delete_loop", params={"loop_id": wrong})


def test_there_is_an_end_of_loops(book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtin_plugins.songs.personal._MAX_LOOPS", 3)
    track = book.add("a")
    for _ in range(3):
        loop(book, track)
    with pytest.raises(Conflict):
        loop(book, track)
    loop(book, track, as_=ADMIN)


def test_a_profile_that_goes_takes_its_things_along(book: Any, people: None) -> None:
    track = book.add("a")
    for who in (signed_in(profile_id=2, name="Bob"), ADMIN):
        score(book, track, 5, as_=who)
        toggle(book, track, as_=who)
        loop(book, track, as_=who)
    book.context.events.receive("accounts.profile_deleted", {"profileId": 2})
    for table in ("scores", "favorites", "loops"):
        rows = book.context.db.table(table).rows_where(select="profile_id")
        assert [row["profile_id"] for row in rows] == [9]


def test_loops_of_a_profile_that_is_gone(book: Any, people: None) -> None:
    """Whether or not the event has come."""
    track = book.add("a")
    loop(book, track, as_=signed_in(profile_id=77))
    assert loops(book, track, query={"profileId": "77"}) == []


def test_loops_at_once_have_names_of_their_own(book: Any, at_once: Any) -> None:
    track = book.add("a")
    names = [each["name"] for each in at_once(6, lambda: loop(book, track))]
    assert sorted(names) == [f"Loop {number}" for number in range(1, 7)]


# Deleting


def test_deleting_takes_everything_along(book: Any) -> None:
    track = book.add("a", stems=["full"])
    other = book.add("b")
    for each in (track, other):
        score(book, each, 5)
        toggle(book, each)
        loop(book, each)
        book.edit(each, title="x")
    book.context.blobs.put(f"audio_{track}", b"x")
    number = book.ask("GET", "track", track)["id"]
    row = {"key": f"audio_{track}", "song": number, "signature": "1", "kind": "sound"}
    book.context.db.table("objects").insert(row)
    assert book.ask("DELETE", "delete_track", track).status == 204
    assert [song["trackId"] for song in book.listed()] == [other]
    for table in ("songs", "tracks", "documents", "edits", "scores", "favorites", "loops"):
        assert book.context.db.table(table).count_where() == 1, table
    assert not book.context.blobs.exists(f"audio_{track}")
    assert book.context.db.table("objects").count_where() == 0
    assert book.told("songs.track_deleted") == [{"trackId": track}]
    assert book.ask("GET", "library_stats")["totalSongs"] == 1
    for handler in ("track", "track_data", "cover", "audio", "stems", "track_highway"):
        with pytest.raises(NotFound):
            book.ask("GET", handler, track)
    with pytest.raises(NotFound):
        book.ask("DELETE", "delete_track", track)


def test_a_store_that_fails_does_not_fail_the_deletion(
    book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = book.add("a")
    number = book.ask("GET", "track", track)["id"]
    objects = book.context.db.table("objects")
    for key in ("audio", "cover", "stem"):
        objects.insert({"key": key, "song": number, "signature": "1", "kind": "sound"})
    delete = book.context.blobs.delete

    def refuse(key: str) -> bool:
        if key in ("audio", *refused):
            raise OSError("the disk is gone")
        return bool(delete(key))

    refused = ["cover", "stem"]
    with monkeypatch.context() as patch:
        patch.setattr(book.context.blobs, "delete", refuse)
        book.ask("DELETE", "delete_track", track)
        assert objects.count_where() == 3
        refused.clear()
        book.plugin._media.sweep()  # one that stays keeps no other
        assert objects.count_where() == 1
    book.plugin._media.sweep()
    assert objects.count_where() == 0


def test_who_asks_for_favourites_is_somebody(book: Any) -> None:
    for handler in ("library", "artists"):
        with pytest.raises(Unauthenticated):
            book.ask("GET", handler, query={"favorites": "true", "page": "x"}, as_=ANONYMOUS)
        with pytest.raises(Forbidden):
            book.ask("GET", handler, query={"favorites": "1"}, as_=signed_in())
        book.ask("GET", handler, query={"favorites": "FALSE"}, as_=ANONYMOUS)


def test_queries_that_are_refused(book: Any) -> None:
    for query in BAD_QUERIES:
        with pytest.raises(Invalid) as caught:
            book.ask("GET", "library", query=query)
        assert [problem.path for problem in caught.value.details] == list(query)


def test_queries_that_are_read(book: Any) -> None:
    book.add("a", arrangements=["Lead", "Bonus Lead"], stems=["Full"], title="one")
    book.add("b", arrangements=["Bass"], stems=[], title="two", has_lyrics=True)

    def titles(**query: Any) -> list[str]:
        return [song["title"] for song in book.listed(query)]

    assert titles(arrangements_has=["LEAD, bonus lead", ""]) == ["one"]
    assert titles(arrangements_has=["lead", " bass "]) == []
    assert titles(arrangements_lacks=["Bonus Lead"]) == ["two"]
    assert titles(stems_has=["full"], unknown=["x"]) == ["one"]
    assert titles(has_lyrics="TRUE") == ["two"]
    assert titles(has_lyrics="0") == ["one"]
    assert titles(q="  ", size="1", page="1", sort="title") == ["two"]
    assert titles(page="999999999") == []
    for name in ("q", "tunings", "stems_has", "arrangements_has"):
        assert titles(**{name: "one\0"}) == []
    assert titles(stems_lacks="\0") == ["one", "two"]
    answer = book.ask("GET", "artists", query={"q": "\0"})
    assert b"".join(answer.body.chunks) == b'{"letters":[]}'
