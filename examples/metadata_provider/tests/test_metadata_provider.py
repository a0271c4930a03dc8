from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest
from example_metadata.catalogue import CatalogueProvider

from plugin_sdk import MediaQuery, MetadataProvider, Person
from plugin_sdk.testing import FakeProviderContext, MetadataSuite, PluginSuite


class TestItIsSound(PluginSuite):
    plugin = "example_metadata:plugin"


class TestItIsAMetadataProvider(MetadataSuite):
    @pytest.fixture
    def provider(self) -> MetadataProvider:
        return CatalogueProvider({}, FakeProviderContext())

    @pytest.fixture
    def known_query(self) -> MediaQuery:
        return MediaQuery("movie", "Metropolis", year=1927)

    @pytest.fixture
    def unknown_query(self) -> MediaQuery:
        return MediaQuery("movie", "Metropolis II")

    @pytest.fixture
    def known_season(self) -> tuple[Mapping[str, str], int]:
        return {"OTHER": "the-prompter"}, 2


@pytest.fixture
def provider() -> CatalogueProvider:
    return CatalogueProvider({}, FakeProviderContext())


@pytest.mark.parametrize(
    "query",
    [
        MediaQuery("movie", "Nosferatu"),
        MediaQuery("movie", "NOSFERATU, eine Symphonie des Grauens", year=1922),
        MediaQuery("movie", "Nosferatu: a symphony of horror", year=1921),
        MediaQuery("movie", "Something else", ids={"IMDB": "tt0013442"}),
        MediaQuery("movie", "", year=2024, ids={"OTHER": "nosferatu-1922"}),
    ],
)
def test_a_film_is_found_by_id_and_by_title(provider: CatalogueProvider, query: MediaQuery) -> None:
    found = provider.fetch(query)
    assert found is not None
    assert found.ids == {"OTHER": "nosferatu-1922", "IMDB": "tt0013442"}
    assert found.release_date == date(1922, 3, 4)
    assert Person("Max Schreck", "ACTOR", "Count Orlok") in found.people


@pytest.mark.parametrize(
    "query",
    [
        MediaQuery("movie", "Nosferatu", year=1979),
        MediaQuery("movie", "Nosfera"),
        MediaQuery("movie", ""),
        MediaQuery("tv", "Nosferatu"),
        MediaQuery("music", "Nosferatu"),
        MediaQuery("movie", "Nothing", ids={"IMDB": ""}),
    ],
)
def test_other_works_are_not_mistaken_for_it(
    provider: CatalogueProvider, query: MediaQuery
) -> None:
    assert provider.fetch(query) is None


def test_the_config_says_how_far_off_a_year_may_be() -> None:
    exact = CatalogueProvider({"yearTolerance": 0}, FakeProviderContext())
    assert exact.fetch(MediaQuery("movie", "The General", year=1927)) is None
    assert exact.fetch(MediaQuery("movie", "The General", year=1926)) is not None


def test_a_season_lists_its_episodes(provider: CatalogueProvider) -> None:
    season = provider.fetch_season({"OTHER": "the-prompter"}, 1)
    assert season is not None
    assert [each.name for each in season.episodes] == ["Dry Run", "Curtain", "Bows"]


@pytest.mark.parametrize(("show", "number"), [("the-prompter", 3), ("nosferatu-1922", 1)])
def test_what_has_no_such_season(provider: CatalogueProvider, show: str, number: int) -> None:
    assert provider.fetch_season({"OTHER": show}, number) is None
