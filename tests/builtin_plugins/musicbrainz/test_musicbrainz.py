"""Questions and answers, turns, retries and the cache."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from builtin_plugins.musicbrainz import MusicBrainz
from builtin_plugins.musicbrainz.cache import Cache
from builtin_plugins.musicbrainz.limiter import Limiter
from builtin_plugins.musicbrainz.provider import provider_class
from host.testing import TestHost
from plugin_sdk import HttpReply, MediaQuery, ProviderError, UpstreamFailed
from plugin_sdk.testing import FakeContext, FakeProviderContext, MetadataSuite, PluginSuite

BASE = "https://music.example/ws/2"
SONG = "0b382a13-32f0-4743-9248-ba5536a6115e"
ARTIST = "57961a97-3796-4bf7-9f02-a985a8979ae9"
KNOWN = MediaQuery("song", "Ace of spades", extra={"artist": "motorhead"})
SETTINGS = {"baseUrl": BASE, "contact": "", "cacheDays": 7}


class TestMusicbrainzIsSound(PluginSuite):
    plugin = "builtin_plugins.musicbrainz:plugin"


@pytest.fixture
def context() -> Iterator[FakeContext]:
    with FakeContext("musicbrainz", settings=SETTINGS) as context:
        context.start(MusicBrainz)
        yield context


def made(context: FakeContext, ctx: FakeProviderContext | None = None, **config: object):
    """A provider that moves the clock instead of waiting."""
    ctx = ctx or FakeProviderContext(context.clock)
    return provider_class(context, context.clock.advance)(config, ctx)


def song(**more: object) -> dict[str, object]:
    return {
        "id": SONG, "title": "Ace of Spades", "score": 100,
        "artist-credit": [{"name": "Motörhead", "artist": {"id": ARTIST}}], **more,
    }  # fmt: skip


def lay_out(context: FakeContext, *found: object) -> None:
    context.http.answer_json("GET", f"{BASE}/recording", {"recordings": list(found)})


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    with TestHost(tmp_path_factory.mktemp("musicbrainz") / "data") as host:
        yield host


class TestOverARealSocket(MetadataSuite):
    def _made(self, host, url: str):
        context = host.plugin("musicbrainz").context
        registered = context.providers.get("metadata", "musicbrainz")
        ctx = SimpleNamespace(clock=context.clock, log=context.log, stopping=False)
        return registered({"baseUrl": url, "rateLimitRps": 100, "retries": 0}, ctx)

    @pytest.fixture
    def provider(self, host, server):
        return self._made(host, server.url)

    @pytest.fixture
    def broken_provider(self, host, server):
        server.script = [(0, {})] * 9
        return self._made(host, server.url)

    @pytest.fixture
    def known_query(self):
        return KNOWN

    @pytest.fixture
    def unknown_query(self):
        return MediaQuery("song", "No such song")

    def test_a_song_is_read_whole(self, provider, server):
        found = provider.fetch(KNOWN)
        assert (found.ids, found.title, found.creator) == (
            {"MUSICBRAINZ": SONG}, "Ace of Spades", "Motörhead",
        )  # fmt: skip
        assert (found.release_date, found.runtime_minutes) == (date(1980, 10, 27), 3)
        assert (found.rating, found.genres) == (9.0, ("heavy metal", "rock"))
        assert found.extra["album"] == "Ace of Spades"
        assert found.extra["lengthSeconds"] == 167
        path, headers = server.asked[0]
        query = parse_qs(urlsplit(path).query)["query"]
        assert query == ['recording:"Ace of spades" AND artist:"motorhead"']
        assert headers["user-agent"] == "Stagebox/1.0.0"
        assert headers["accept"] == "application/json"

    def test_of_several_that_of_the_year_is_taken(self, provider):
        found = provider.fetch(MediaQuery("song", "Ace of Spades", year=1981))
        assert found.ids["MUSICBRAINZ"].startswith("0b39")
        assert (found.release_date, found.extra["year"]) == (None, 1981)

    @pytest.mark.parametrize(
        ("kind", "title", "identity"),
        [
            ("album", "Ace of Spades", "dfdfb4a1-3d5a-4c2c-a8c3-b1f0a5a6a001"),
            ("artist", "motorhead", ARTIST),
        ],
    )
    def test_albums_and_artists(self, provider, kind, title, identity):
        assert provider.fetch(MediaQuery(kind, title)).ids == {"MUSICBRAINZ": identity}

    def test_an_id_is_looked_up_without_a_search(self, provider, server):
        query = MediaQuery("song", "x", ids={"MUSICBRAINZ": SONG.upper()})
        assert provider.fetch(query).title == "Ace of Spades"
        unknown = SONG.replace("0", "f")
        assert provider.fetch(MediaQuery("song", "x", ids={"MUSICBRAINZ": unknown})) is None
        assert urlsplit(server.asked[0][0]).path == f"/ws/2/recording/{SONG}"

    def test_a_second_look_asks_nobody(self, provider, server):
        first = provider.fetch(KNOWN)
        server.script = [(500, {})] * 5
        assert provider.fetch(KNOWN) == first
        assert len(server.asked) == 1

    def test_it_stands_among_the_providers(self, host):
        listed = host.get("/api/plugins/providers").json()["metadata"]
        assert {"name": "musicbrainz", "pluginId": "musicbrainz"}.items() <= next(
            each for each in listed if each["name"] == "musicbrainz"
        ).items()

    def test_an_admin_chooses_who_is_asked_first(self, host):
        chosen = host.put("/api/plugins/providers/metadata/active", json={"name": "musicbrainz"})
        assert chosen.status == 200
        first = host.get("/api/plugins/providers").json()["metadata"][0]
        assert (first["name"], first["chosen"], first["active"]) == ("musicbrainz", True, True)

    def test_an_answer_that_is_too_large(self, provider, server):
        server.body = b"[" + b" " * (3 * 1024 * 1024) + b"]"
        with pytest.raises(ProviderError, match="does not answer"):
            provider.fetch(KNOWN)


@pytest.mark.parametrize("kind", ["movie", "tv", ""])
def test_other_kinds_belong_to_others(context, kind):
    assert made(context).fetch(MediaQuery(kind, "x")) is None
    assert context.http.requests == []


@pytest.mark.parametrize("title", ["", "  ", "?!"])
def test_nothing_is_asked_without_a_title(context, title):
    assert made(context).fetch(MediaQuery("song", title)) is None
    assert context.http.requests == []


def test_titles_are_quoted_for_the_search(context):
    lay_out(context)
    query = MediaQuery("song", 'a "b" \\ OR *:*\n', extra={"album": "c", "artist": 5})
    assert made(context).fetch(query) is None
    sent = context.http.requests[0].query["query"]
    assert sent == 'recording:"a \\"b\\" \\\\ OR *:*" AND release:"c"'


def test_an_id_that_is_none_is_not_sent(context):
    lay_out(context, song())
    query = MediaQuery("song", "Ace of Spades", ids={"MUSICBRAINZ": "../../admin"})
    assert made(context).fetch(query).ids == {"MUSICBRAINZ": SONG}
    assert "admin" not in context.http.requests[0].url


def test_the_contact_is_sent_along(context):
    context.settings.update({"contact": "me@example.org"})
    lay_out(context)
    made(context).fetch(KNOWN)
    made(context, contact="https://x.example").fetch(MediaQuery("song", "other"))
    agents = [each.headers["user-agent"] for each in context.http.requests]
    assert [agent.split(" ", 1)[1] for agent in agents] == [
        "( me@example.org )", "( https://x.example )",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "found",
    [
        song(title="Ace of Spades (live)"),
        song(score=79),
        song(**{"artist-credit": [{"name": "Somebody"}]}),
        song(id=None),
        song(title=5),
        "song",
    ],
    ids=["title", "score", "artist", "id", "shape", "text"],
)
def test_what_does_not_fit_is_not_taken(context, found):
    lay_out(context, found)
    assert made(context).fetch(KNOWN) is None


def test_one_request_a_second(context):
    lay_out(context)
    provider, begin = made(context), context.clock.ms()
    for number in range(5):
        provider.fetch(MediaQuery("song", f"song {number}"))
    assert context.clock.ms() - begin == 4000


def test_instances_share_their_turns(context):
    lay_out(context)
    begin = context.clock.ms()
    for number in range(3):
        made(context).fetch(MediaQuery("song", f"song {number}"))
    made(context, baseUrl="https://other.example").fetch(MediaQuery("movie", "x"))
    assert context.clock.ms() - begin == 2000


def test_a_faster_mirror(context):
    lay_out(context)
    provider, begin = made(context, rateLimitRps=10), context.clock.ms()
    for number in range(5):
        provider.fetch(MediaQuery("song", f"song {number}"))
    assert context.clock.ms() - begin == 400


def test_threads_get_turns_of_their_own(context):
    """Each waits for a moment of its own: none is drawn twice."""
    moments: list[int] = []
    lock = threading.Lock()
    limiter = Limiter(context.db, context.clock, lambda: False)

    def draw() -> None:
        for _ in range(3):
            moment = limiter._drawn("server", 1000)
            with lock:
                moments.append(moment)

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(m - min(moments) for m in moments) == [n * 1000 for n in range(12)]


@pytest.mark.parametrize("shape", ["seconds", "date"])
def test_a_server_that_is_busy_for_long_is_not_asked_too_early(context, shape):
    begin = context.clock.ms()
    wait = {"seconds": "600", "date": format_datetime(at(begin / 1000 + 600), usegmt=True)}[shape]
    context.http.answer("GET", f"{BASE}/recording", HttpReply(503, {"retry-after": wait}, b""))
    with pytest.raises(ProviderError, match="busy") as caught:
        made(context).fetch(KNOWN)
    assert caught.value.retry_after == pytest.approx(600, abs=1)
    assert context.clock.ms() == begin, "nobody waited"
    assert len(context.http.requests) == 1


def test_a_password_in_the_address_is_shown_to_nobody(context):
    base = "https://me:secret@mirror.example"
    context.http.answer("GET", f"{base}/recording", HttpReply(403, {}, b""))
    with pytest.raises(ProviderError, match=r"^mirror\.example refuses requests"):
        made(context, baseUrl=base).fetch(KNOWN)


@pytest.mark.parametrize("seconds", [7, -60])
def test_a_date_says_when_to_ask_again(context, seconds):
    url, begin = f"{BASE}/recording", context.clock.ms()
    moment = format_datetime(at(begin / 1000 + seconds), usegmt=True)
    context.http.answer("GET", url, HttpReply(503, {"retry-after": moment}, b""))
    context.http.answer_json("GET", url, {"recordings": [song()]})
    assert made(context).fetch(KNOWN).ids == {"MUSICBRAINZ": SONG}
    assert context.clock.ms() - begin == pytest.approx(max(seconds, 1) * 1000, abs=1000)


@pytest.mark.parametrize("base", ["https://musicbrainz.org/ws/2", "https://BETA.musicbrainz.org"])
def test_their_own_server_is_asked_by_those_who_can_be_reached(context, base):
    with pytest.raises(ProviderError, match="set contact") as caught:
        made(context, baseUrl=base).fetch(KNOWN)
    assert caught.value.permanent
    assert context.http.requests == []
    context.http.answer_json("GET", f"{base}/recording", {"recordings": [song()]})
    found = made(context, baseUrl=base, contact="me@example.org").fetch(KNOWN)
    assert found.ids == {"MUSICBRAINZ": SONG}


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def test_nobody_waits_without_end(context):
    limiter = Limiter(context.db, context.clock, lambda: False, context.clock.advance)
    limiter.hold("server", 10_000)
    begin = context.clock.ms()
    limiter.take("server", 1)
    assert context.clock.ms() - begin == 30_000, "nobody may hold it for longer"
    for _ in range(30):
        limiter._drawn("server", 1000)
    with pytest.raises(ProviderError) as caught:
        limiter.take("server", 1)
    assert caught.value.retry_after == 31
    context.clock.advance(-1_000_000)
    limiter.take("server", 1)


def test_a_stop_is_honoured_while_waiting(context):
    lay_out(context)
    ctx = FakeProviderContext(context.clock)
    provider = made(context, ctx)
    provider.fetch(MediaQuery("song", "one"))
    ctx.stopping = True
    with pytest.raises(ProviderError, match="stopping"):
        provider.fetch(MediaQuery("song", "two"))
    assert len(context.http.requests) == 1


def test_a_busy_server_is_asked_again_when_it_says(context):
    url = f"{BASE}/recording"
    context.http.answer("GET", url, HttpReply(503, {"retry-after": "7"}, b""))
    context.http.answer("GET", url, HttpReply(429, {"retry-after": "Fri, 01 May"}, b""))
    context.http.answer("GET", url, UpstreamFailed("timed out"))
    context.http.answer_json("GET", url, {"recordings": [song()]})
    begin = context.clock.ms()
    assert made(context).fetch(KNOWN).ids == {"MUSICBRAINZ": SONG}
    assert context.clock.ms() - begin == (7 + 2 + 4) * 1000


@pytest.mark.parametrize(
    ("reply", "asked", "message"),
    [
        (HttpReply(503, {"retry-after": "3"}, b""), 3, "busy"),
        (HttpReply(500, {}, b""), 3, "busy"),
        (UpstreamFailed("timed out"), 3, "timed out"),
        (HttpReply(200, {}, b"<html>"), 3, "JSON"),
        (HttpReply(200, {}, b"[NaN]"), 3, "JSON"),
        (HttpReply(403, {}, b""), 1, "refuses"),
        (HttpReply(400, {}, b""), 1, "400"),
        (HttpReply(302, {"location": "http://elsewhere"}, b""), 1, "302"),
    ],
    ids=["busy", "broken", "silent", "page", "nan", "refused", "bad", "elsewhere"],
)
def test_failures_are_provider_errors(context, reply, asked, message):
    context.http.answer("GET", f"{BASE}/recording", reply)
    with pytest.raises(ProviderError, match=message) as caught:
        made(context, retries=2).fetch(KNOWN)
    assert len(context.http.requests) == asked
    assert caught.value.permanent is (asked == 1)


def test_failures_are_not_remembered(context):
    context.http.answer("GET", f"{BASE}/recording", HttpReply(500, {}, b""))
    lay_out(context, song())
    provider = made(context, retries=0)
    with pytest.raises(ProviderError):
        provider.fetch(KNOWN)
    assert provider.fetch(KNOWN) is not None


def test_answers_are_remembered_for_some_days(context):
    lay_out(context)
    provider = made(context)
    for _ in range(2):
        assert provider.fetch(KNOWN) is None
    assert len(context.http.requests) == 1
    context.clock.advance(7 * 86_400)
    provider.fetch(KNOWN)
    assert len(context.http.requests) == 2
    context.settings.update({"cacheDays": 0})
    provider.fetch(KNOWN)
    assert len(context.http.requests) == 3


def test_the_cache_is_bounded(context, monkeypatch):
    from builtin_plugins.musicbrainz import cache as module

    monkeypatch.setattr(module, "MAX_ANSWERS", 5)
    cache = Cache(context.db, context.clock, lambda: 1)
    for number in range(100):
        context.clock.advance(1)
        cache.put(f"question {number}", {"number": number})
    assert context.db.value("SELECT count(*) FROM answers") == 5
    assert cache.get("question 99") == (True, {"number": 99})
    assert cache.get("question 90") == (False, None)
    context.clock.advance(2 * 86_400)
    cache.sweep()
    assert context.db.value("SELECT count(*) FROM answers") == 0


@pytest.mark.one_engine  # the planner of the other one ignores indexes of small tables
def test_queries_of_the_cache_use_its_indexes(context):
    for where in ("question = 'x' AND fetched_at > 1", "fetched_at <= 1"):
        plan = context.db.query(f"EXPLAIN QUERY PLAN SELECT answer FROM answers WHERE {where}")
        assert all("USING INDEX" in row["detail"] for row in plan), plan
