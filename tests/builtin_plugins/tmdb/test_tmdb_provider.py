"""Which questions are asked, and what is made of the answers (media contract, 8.3)."""

from __future__ import annotations

import threading
from datetime import date
from typing import Any

import pytest

from builtin_plugins.tmdb import limiter as limiter_module
from builtin_plugins.tmdb.limiter import Bucket, Waiter
from builtin_plugins.tmdb.provider import provider_class
from builtin_plugins.tmdb.service import Defaults
from plugin_sdk import (
    HttpReply,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    Person,
    ProviderError,
    UpstreamFailed,
)
from plugin_sdk.testing import FakeHttp, FakeLog, FakeProviderContext, MetadataSuite

BASE = "https://films.example/3"
FILM = {
    "id": 603,
    "title": "The Matrix",
    "imdb_id": "tt0133093",
    "overview": "A hacker learns.",
    "release_date": "1999-03-31",
    "vote_average": 8.2,
    "runtime": 136,
    "poster_path": "/poster.jpg",
    "backdrop_path": "https://elsewhere.example/back.jpg",
    "genres": [{"name": "Action"}, {"name": "Sci-Fi"}, {"name": "Action"}, {"name": 7}],
    "credits": {
        "crew": [
            {"id": 1, "name": "Lana Wachowski", "job": "Director"},
            {"id": 2, "name": "Somebody", "job": "Gaffer"},
        ],
        "cast": [{"id": 3, "name": "Keanu Reeves", "character": "Neo"}],
    },
    "images": {
        "posters": [
            {"iso_639_1": "en", "file_path": "/en.jpg"},
            {"iso_639_1": None, "file_path": "/plain.jpg"},
        ],
        "logos": [
            {"iso_639_1": None, "file_path": "/none.png"},
            {"iso_639_1": "en", "file_path": "/logo.png"},
        ],
    },
}
SHOW = {
    "id": 1396,
    "name": "Breaking Bad",
    "first_air_date": "2008-01-20",
    "created_by": [{"name": "Vince Gilligan"}, {"name": "Other"}],
    "networks": [{"name": "AMC"}],
}
SEASON = {
    "name": "Season 1",
    "air_date": "2008-01-20",
    "poster_path": "/season.jpg",
    "episodes": [
        {"episode_number": 1, "name": "Pilot", "runtime": 58, "still_path": "/still.jpg",
         "air_date": "2008-01-20", "overview": "It begins."},
        {"name": "without a number"},
        {"episode_number": 2, "air_date": "not a date", "runtime": "58", "overview": 5},
    ],
}  # fmt: skip


class Time:
    """Passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def http() -> FakeHttp:
    http = FakeHttp()
    http.answer_json("GET", f"{BASE}/movie/603", FILM)
    http.answer_json("GET", f"{BASE}/tv/1396", SHOW)
    http.answer_json("GET", f"{BASE}/tv/1396/season/1", SEASON)
    for missing in ("movie/1", "tv/1", "tv/1396/season/9"):
        http.answer_json("GET", f"{BASE}/{missing}", {"status_code": 34}, status=404)
    found = f"{BASE}/search/movie?api_key=k&language=en-US&query=The+Matrix"
    for url in (found, found + "&year=1999"):
        http.answer_json("GET", url, {"results": [{"id": 603}, {"id": 604}]})
    http.answer_json("GET", f"{BASE}/search/movie", {"results": []})
    http.answer_json("GET", f"{BASE}/search/tv", {"results": []})
    find = f"{BASE}/find/tt0133093?api_key=k&language=en-US&external_source=imdb_id"
    http.answer_json("GET", find, {"movie_results": [{"id": 603}], "tv_results": []})
    http.answer_json(
        "GET", f"{BASE}/find/81189", {"movie_results": [], "tv_results": [{"id": 1396}]}
    )
    http.answer_json("GET", f"{BASE}/find/tt0000001", {"movie_results": [], "tv_results": []})
    return http


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def make(http: FakeHttp, clock: Time) -> Any:
    def make(ctx: Any = None, http: Any = http, **config: Any) -> MetadataProvider:
        made = provider_class(http, Defaults(BASE, "https://img.example/t"))
        ctx = ctx or FakeProviderContext()

        class Timed(made):  # type: ignore[misc, valid-type]
            def _waiter(self) -> Waiter:
                return Waiter(lambda: ctx.stopping, clock.pause, lambda: clock.now)

        provider: MetadataProvider = Timed({"apiKey": "k", **config}, ctx)
        return provider

    return make


class TestTmdb(MetadataSuite):
    @pytest.fixture
    def provider(self, make: Any) -> MetadataProvider:
        provider: MetadataProvider = make()
        return provider

    @pytest.fixture
    def known_query(self) -> MediaQuery:
        return MediaQuery("movie", "The Matrix", 1999)

    @pytest.fixture
    def unknown_query(self) -> MediaQuery:
        return MediaQuery("movie", "No such film")

    @pytest.fixture
    def known_season(self) -> Any:
        return {"TMDB": "1396"}, 1

    @pytest.fixture
    def broken_provider(self, make: Any) -> MetadataProvider:
        provider: MetadataProvider = make(http=FakeHttp(), retries=0)
        return provider


def paths(http: FakeHttp) -> list[str]:
    return [each.url.removeprefix(BASE) for each in http.requests]


def test_a_film_by_its_id_is_one_request(make, http):
    found = make().fetch(MediaQuery("movie", "whatever", ids={"TMDB": "603", "IMDB": "tt0"}))
    assert paths(http) == [
        "/movie/603?api_key=k&language=en-US&append_to_response=credits%2Cimages"
        "&include_image_language=en%2Cnull"
    ]
    assert found == MediaMetadata(
        ids={"TMDB": "603", "IMDB": "tt0133093"},
        title="The Matrix",
        overview="A hacker learns.",
        release_date=date(1999, 3, 31),
        rating=8.2,
        runtime_minutes=136,
        poster_url="https://img.example/t/w500/poster.jpg",
        plain_poster_url="https://img.example/t/w500/plain.jpg",
        backdrop_url="https://elsewhere.example/back.jpg",
        logo_url="https://img.example/t/w500/logo.png",
        genres=("Action", "Sci-Fi"),
        people=(
            Person("Lana Wachowski", "DIRECTOR", None, "1"),
            Person("Keanu Reeves", "ACTOR", "Neo", "3"),
        ),
    )


def test_a_film_by_its_title_is_searched_first(make, http):
    assert make().fetch(MediaQuery("movie", " The Matrix ", 1999)).ids["TMDB"] == "603"
    assert paths(http)[0].endswith("&query=The+Matrix&year=1999")
    assert paths(http)[1].startswith("/movie/603?")
    assert make().fetch(MediaQuery("movie", "Nothing")) is None
    assert make().fetch(MediaQuery("movie", "  ")) is None
    assert len(http.requests) == 3


def test_other_ids_lead_to_it(make, http):
    assert make().fetch(MediaQuery("movie", "x", ids={"IMDB": "tt0133093"})).title == "The Matrix"
    show = make().fetch(MediaQuery("tv", "x", ids={"TVDB": "81189"}))
    assert (show.title, show.creator, show.network) == ("Breaking Bad", "Vince Gilligan", "AMC")
    found = make().fetch(MediaQuery("movie", "The Matrix", ids={"IMDB": "tt0000001"}))
    assert found.title == "The Matrix", "what an id does not find, a search may"


def test_what_the_service_does_not_know(make):
    assert make().fetch(MediaQuery("movie", "x", ids={"TMDB": "1"})) is None
    assert make().fetch_season({"TMDB": "1396"}, 9) is None
    assert make().fetch_season({"IMDB": "tt1"}, 1) is None
    assert make().fetch(MediaQuery("song", "x")) is None


def test_a_season(make):
    season = make().fetch_season({"TMDB": "1396"}, 1)
    assert (season.season_number, season.name) == (1, "Season 1")
    assert season.poster_url == "https://img.example/t/w500/season.jpg"
    first, second = season.episodes
    assert (first.episode_number, first.name, first.runtime_minutes) == (1, "Pilot", 58)
    assert first.still_url == "https://img.example/t/w300/still.jpg"
    assert first.air_date == date(2008, 1, 20)
    assert (second.air_date, second.runtime_minutes, second.overview) == (None, None, None)


@pytest.mark.parametrize("value", [None, 5, True, [], {}, "", "x", [None], [5], [{}]])
@pytest.mark.parametrize("field", sorted(set(FILM) - {"id", "title"}))
def test_fields_of_the_wrong_type_count_as_nothing(make, field, value):
    http = FakeHttp()
    http.answer_json("GET", f"{BASE}/movie/603", {**FILM, field: value})
    found = make(http=http).fetch(MediaQuery("movie", "x", ids={"TMDB": "603"}))
    assert isinstance(found, MediaMetadata)


@pytest.mark.parametrize("change", [{"id": None}, {"id": "603"}, {"title": ""}, {"title": 5}])
def test_an_answer_without_id_or_title_is_none(make, change):
    http = FakeHttp()
    http.answer_json("GET", f"{BASE}/movie/603", {**FILM, **change})
    assert make(http=http).fetch(MediaQuery("movie", "x", ids={"TMDB": "603"})) is None


# Failures


def failing(*replies: Any) -> FakeHttp:
    http = FakeHttp()
    for reply in replies:
        http.answer("GET", f"{BASE}/movie/603", reply)
    return http


def busy(status: int, **headers: str) -> HttpReply:
    return HttpReply(status, {name.replace("_", "-"): text for name, text in headers.items()}, b"")


KNOWN = MediaQuery("movie", "x", ids={"TMDB": "603"})


def test_what_may_pass_is_tried_again(make, clock):
    http = failing(UpstreamFailed("reset"), busy(503), busy(429, retry_after="7"))
    http.answer_json("GET", f"{BASE}/movie/603", FILM)
    assert make(http=http).fetch(KNOWN).title == "The Matrix"
    assert len(http.requests) == 4
    assert round(sum(clock.waits), 3) == 1 + 2 + 7


def test_retry_after_is_bounded(make, clock):
    http = failing(busy(503, retry_after="86400"))
    http.answer_json("GET", f"{BASE}/movie/603", FILM)
    make(http=http).fetch(KNOWN)
    assert round(sum(clock.waits), 3) == 30


def test_in_the_end_it_gives_up(make, clock):
    http = failing(busy(500))
    with pytest.raises(ProviderError) as failed:
        make(http=http, retries=2).fetch(KNOWN)
    assert len(http.requests) == 3
    assert "films.example is busy (500)" in failed.value.message
    assert not failed.value.permanent


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_not_tried_again(make, status):
    http = failing(busy(status))
    with pytest.raises(ProviderError) as failed:
        make(http=http).fetch(KNOWN)
    assert failed.value.permanent
    assert len(http.requests) == 1


@pytest.mark.parametrize("content", [b"<html>", b"", b"[1]", b'{"id": NaN}'])
def test_a_broken_body_is_an_error(make, content):
    with pytest.raises(ProviderError, match="did not answer"):
        make(http=failing(HttpReply(200, {}, content)), retries=0).fetch(KNOWN)


@pytest.mark.parametrize("reply", [HttpReply(200, {}, b"x"), busy(418)], ids=["body", "status"])
def test_what_does_not_pass_is_not_tried_again(make, reply):
    http = failing(reply)
    with pytest.raises(ProviderError) as failed:
        make(http=http).fetch(KNOWN)
    assert len(http.requests) == 1
    assert not failed.value.permanent


def test_the_key_is_in_no_error(make):
    secret = "s3cr3t-key"
    broken = UpstreamFailed(f"https://films.example/3?api_key={secret} timed out")
    for reply in (broken, busy(401), busy(500), busy(418), HttpReply(200, {}, b"x")):
        with pytest.raises(ProviderError) as failed:
            make(http=failing(reply), apiKey=secret, retries=0).fetch(KNOWN)
        assert secret not in str(failed.value)
        assert failed.value.__cause__ is None


def test_without_a_key_nobody_is_asked(make, http):
    assert not make(apiKey="").is_configured()
    assert not make(apiKey="  ").is_configured()
    assert make().is_configured()
    assert http.requests == []


def test_a_stop_is_heard_before_a_request_and_while_it_waits(make, http, clock, monkeypatch):
    ctx = FakeProviderContext()
    ctx.stopping = True
    with pytest.raises(ProviderError, match="stop"):
        make(ctx).fetch(KNOWN)
    assert http.requests == []
    ctx = FakeProviderContext()
    pause = clock.pause

    def stop_soon(seconds: float) -> None:
        pause(seconds)
        ctx.stopping = len(clock.waits) > 1

    monkeypatch.setattr(clock, "pause", stop_soon)
    with pytest.raises(ProviderError, match="stop"):
        make(ctx, http=failing(busy(503, retry_after="20"))).fetch(KNOWN)
    assert sum(clock.waits) < 2


# The rate


def test_the_rate_is_kept_with_a_burst(clock):
    bucket = Bucket(4.0, Waiter(lambda: False, clock.pause, lambda: clock.now))
    began = clock.now
    for _ in range(4):
        bucket.take()
    assert clock.now == began, "as many as fit into the bucket go at once"
    for _ in range(8):
        bucket.take()
    assert round(clock.now - began, 6) == 2.0
    clock.now += 100
    again = clock.now
    for _ in range(5):
        bucket.take()
    assert round(clock.now - again, 6) == 0.25


def test_slow_rates_have_a_bucket_of_one(clock):
    bucket = Bucket(0.5, Waiter(lambda: False, clock.pause, lambda: clock.now))
    began = clock.now
    bucket.take()
    bucket.take()
    assert round(clock.now - began, 6) == 2.0


def test_threads_share_the_rate(monkeypatch):
    lock = threading.Lock()
    granted: list[float] = []

    class Recorder(Waiter):
        def wait(self, seconds: float) -> None:
            with lock:
                granted.append(round(seconds, 6))

    monkeypatch.setattr(limiter_module, "_SLICE", 0.01)
    bucket = Bucket(2.0, Recorder(lambda: False, now=lambda: 50.0))
    threads = [threading.Thread(target=bucket.take) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(granted) == [0, 0, *(number / 2 for number in range(1, 9))]


# Defaults


@pytest.mark.parametrize(
    ("environment", "expected", "warnings"),
    [
        ({}, Defaults(), 0),
        ({"TMDB_BASE_URL": "http://a/3", "TMDB_IMAGE_BASE_URL": "http://b"},
         Defaults("http://a/3", "http://b"), 0),
        ({"METADATA_RATE_LIMIT_RPS": "0.5"}, Defaults(per_second=0.5), 0),
        ({"METADATA_RATE_LIMIT_RPS": "fast"}, Defaults(), 1),
        ({"METADATA_RATE_LIMIT_RPS": "nan"}, Defaults(), 1),
        ({"METADATA_RATE_LIMIT_RPS": "0"}, Defaults(), 1),
    ],
)  # fmt: skip
def test_the_environment_gives_defaults(environment, expected, warnings):
    log = FakeLog("tmdb")
    assert Defaults.of_environment(environment, log) == expected
    assert len(log.messages) == warnings
