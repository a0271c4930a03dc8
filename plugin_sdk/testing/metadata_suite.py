"""What every metadata provider promises, as tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

import pytest

from plugin_sdk.errors import ProviderError
from plugin_sdk.metadata import (
    EpisodeMetadata,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    Person,
    SeasonMetadata,
)
from plugin_sdk.strict_json import dump_json
from plugin_sdk.testing.clock import FakeClock
from plugin_sdk.testing.logs import FakeLog
from plugin_sdk.testing.missing import missing

__all__ = ["FakeProviderContext", "MetadataSuite"]

_SOURCES: Final = frozenset(
    ("TMDB", "IMDB", "TVDB", "ANIDB", "MYANIMELIST", "MUSICBRAINZ", "SPOTIFY", "COMICVINE", "OTHER")
)
_ROLES: Final = frozenset({"ACTOR", "DIRECTOR", "WRITER", "PRODUCER"})
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_URL: Final = re.compile(r"https?://[^\s]+")


class FakeProviderContext:
    """What a `plugin_sdk.MetadataProvider` is made with, in tests. Set ``stopping`` to see
    whether a provider stops between two requests."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock: FakeClock = clock or FakeClock()
        self.log: FakeLog = FakeLog("stagebox.providers")
        self.stopping = False

    def once(self, key: str, ask: Callable[[], Any]) -> Any:
        """Asks at once, and keeps nothing."""
        return ask()


class MetadataSuite:
    """Subclass it beside your tests, and give the fixtures::

        from plugin_sdk.testing import FakeHttp, FakeProviderContext, MetadataSuite

        class TestFilms(MetadataSuite):
            @pytest.fixture
            def provider(self):
                http = FakeHttp()
                http.answer_json("GET", "https://films.example/search?q=Up", [UP])
                http.answer_json("GET", "https://films.example/search", [])
                return Films({"key": "k"}, FakeProviderContext(), http)

            @pytest.fixture
            def known_query(self):
                return MediaQuery("movie", "Up", year=2009)

            @pytest.fixture
            def unknown_query(self):
                return MediaQuery("movie", "No such film")

    Two fixtures more are asked if you give them: ``known_season``, a pair of the ``ids`` of a
    show and the number of a season that the provider knows; ``broken_provider``, a provider whose
    source does not answer.
    """

    @pytest.fixture
    def provider(self) -> MetadataProvider:
        """A configured provider that knows what ``known_query`` asks."""
        raise missing("provider")

    @pytest.fixture
    def known_query(self) -> MediaQuery:
        """Something that the provider finds."""
        raise missing("known_query")

    @pytest.fixture
    def unknown_query(self) -> MediaQuery:
        """Something that it does not find."""
        raise missing("unknown_query")

    @pytest.fixture
    def known_season(self) -> tuple[Mapping[str, str], int] | None:
        """Ids of a show, and the number of a season that the provider knows; or None."""
        return None

    @pytest.fixture
    def broken_provider(self) -> MetadataProvider | None:
        """A provider whose source cannot be reached; or None."""
        return None

    def test_it_says_what_it_is(self, provider: MetadataProvider) -> None:
        assert isinstance(provider, MetadataProvider)
        assert _NAME.fullmatch(provider.name), "name: lower case, digits, - and _"
        assert isinstance(provider.display_name, str)
        assert provider.display_name.strip(), "display_name is shown to people"
        assert provider.source in _SOURCES
        assert isinstance(provider.kinds, frozenset), "kinds is a frozenset of texts"
        assert provider.kinds, "a provider of no kind is never asked"
        assert all(isinstance(kind, str) and kind for kind in provider.kinds)

    def test_its_config_schema_is_an_object_schema(self, provider: MetadataProvider) -> None:
        schema = provider.config_schema
        assert schema.get("type") == "object"
        properties = schema.get("properties", {})
        assert isinstance(properties, Mapping)
        assert all(isinstance(definition, Mapping) for definition in properties.values())
        assert set(schema.get("required", ())) <= set(properties)
        dump_json(_plain(schema))

    def test_it_is_configured(self, provider: MetadataProvider) -> None:
        assert provider.is_configured() is True

    def test_the_queries_are_of_its_kinds(
        self, provider: MetadataProvider, known_query: MediaQuery, unknown_query: MediaQuery
    ) -> None:
        assert known_query.kind in provider.kinds, "give known_query a kind of the provider"
        assert unknown_query.kind in provider.kinds, "give unknown_query a kind of the provider"

    def test_what_is_found_names_itself(
        self, provider: MetadataProvider, known_query: MediaQuery
    ) -> None:
        found = _fetched(provider, known_query)
        assert isinstance(found.title, str)
        assert found.title.strip()
        assert found.ids, "ids holds at least the provider's own id"
        assert all(isinstance(value, str) and value for value in found.ids.values())
        assert provider.source in found.ids, f"the provider's own id stands under {provider.source}"

    def test_what_is_found_has_values_of_the_right_shape(
        self, provider: MetadataProvider, known_query: MediaQuery
    ) -> None:
        found = _fetched(provider, known_query)
        _check_date(found.release_date)
        _check_minutes(found.runtime_minutes)
        assert found.rating is None or _is_number(found.rating)
        assert found.rating is None or 0 <= found.rating <= 10, "rating is 0 to 10"
        for text in (found.overview, found.creator, found.network):
            assert text is None or isinstance(text, str)
        dump_json(_plain(found.extra))

    def test_what_is_found_has_absolute_urls(
        self, provider: MetadataProvider, known_query: MediaQuery
    ) -> None:
        found = _fetched(provider, known_query)
        for url in (
            found.poster_url,
            found.plain_poster_url,
            found.backdrop_url,
            found.logo_url,
            found.trailer_url,
        ):
            assert url is None or _URL.fullmatch(url), f"{url!r} is no http or https URL"

    def test_what_is_found_lists_genres_and_people(
        self, provider: MetadataProvider, known_query: MediaQuery
    ) -> None:
        found = _fetched(provider, known_query)
        assert isinstance(found.genres, tuple)
        assert all(isinstance(genre, str) and genre for genre in found.genres)
        assert isinstance(found.people, tuple)
        for person in found.people:
            assert isinstance(person, Person)
            assert person.name.strip()
            assert person.role in _ROLES

    def test_what_is_not_found_is_none(
        self, provider: MetadataProvider, unknown_query: MediaQuery
    ) -> None:
        assert provider.fetch(unknown_query) is None

    def test_it_can_be_asked_again(
        self, provider: MetadataProvider, known_query: MediaQuery, unknown_query: MediaQuery
    ) -> None:
        assert provider.fetch(unknown_query) is None
        assert _fetched(provider, known_query).ids
        assert provider.fetch(unknown_query) is None

    def test_a_show_without_ids_has_no_season(self, provider: MetadataProvider) -> None:
        assert provider.fetch_season({}, 1) is None

    def test_a_known_season(
        self, provider: MetadataProvider, known_season: tuple[Mapping[str, str], int] | None
    ) -> None:
        if known_season is None:
            pytest.skip("the suite has no fixture known_season")
        ids, number = known_season
        season = provider.fetch_season(ids, number)
        assert isinstance(season, SeasonMetadata)
        assert season.season_number == number
        _check_date(season.air_date)
        assert season.poster_url is None or _URL.fullmatch(season.poster_url)
        assert isinstance(season.episodes, tuple)
        for episode in season.episodes:
            assert isinstance(episode, EpisodeMetadata)
            assert episode.episode_number >= 0
            _check_date(episode.air_date)
            _check_minutes(episode.runtime_minutes)
            assert episode.still_url is None or _URL.fullmatch(episode.still_url)
        numbers = [episode.episode_number for episode in season.episodes]
        assert len(numbers) == len(set(numbers)), "an episode occurs twice"

    def test_failures_are_provider_errors(
        self, broken_provider: MetadataProvider | None, known_query: MediaQuery
    ) -> None:
        if broken_provider is None:
            pytest.skip("the suite has no fixture broken_provider")
        with pytest.raises(ProviderError) as caught:
            broken_provider.fetch(known_query)
        assert caught.value.message

    def test_it_can_be_closed(self, provider: MetadataProvider) -> None:
        assert provider.close() is None  # type: ignore[func-returns-value]


def _fetched(provider: MetadataProvider, query: MediaQuery) -> MediaMetadata:
    found = provider.fetch(query)
    assert isinstance(found, MediaMetadata), f"known_query was not found: {found!r}"
    return found


def _check_date(value: date | None) -> None:
    assert value is None or (isinstance(value, date) and not isinstance(value, datetime))


def _check_minutes(value: int | None) -> None:
    assert value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Mappings of any kind as dictionaries, so that they can be written as JSON."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
