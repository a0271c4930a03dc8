"""The metadata suite: an honest provider passes, and each broken promise is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plugin_sdk.testing import MetadataSuite

FILMS = """
from dataclasses import replace
from datetime import date
from plugin_sdk import (EpisodeMetadata, MediaMetadata, MetadataProvider, Person, ProviderError,
    SeasonMetadata, UpstreamFailed)

URL = "https://films.example/search"

class Films(MetadataProvider):
    name = "films"
    display_name = "Films"
    source = "OTHER"
    kinds = frozenset({"movie", "tv"})
    config_schema = {"type": "object", "required": ["key"],
        "properties": {"key": {"type": "string", "writeOnly": True}}}

    def __init__(self, config, ctx, http):
        super().__init__(config, ctx)
        self.http = http

    def is_configured(self):
        return bool(self.config.get("key"))

    def fetch(self, query):
        try:
            found = self.http.request("GET", URL, query={"q": query.title}).json()
        except UpstreamFailed as error:
            raise ProviderError(error.message) from error
        return self.answer(found[0]) if found else None

    def answer(self, found):
        return MediaMetadata({"OTHER": found["id"]}, found["title"],
            release_date=date(2009, 5, 13), rating=8.3, runtime_minutes=96,
            poster_url="https://films.example/p.jpg", genres=("Animation",),
            people=(Person("Pete Docter", "DIRECTOR"),), extra={"votes": 3})

    def fetch_season(self, ids, number):
        if "OTHER" not in ids:
            return None
        return SeasonMetadata(number, "One", episodes=(
            EpisodeMetadata(1, air_date=date(2020, 1, 1)), EpisodeMetadata(2, runtime_minutes=20)))
"""

# Each breaks one promise of MetadataProvider; the suite must find it by the test named beside it.
MUTANTS = {
    "test_it_says_what_it_is": """
        source = "IMBD"
    """,
    "test_its_config_schema_is_an_object_schema": """
        config_schema = {"type": "object", "required": ["token"], "properties": {}}
    """,
    "test_it_is_configured": """
        def is_configured(self): return "key" in self.config and None
    """,
    "test_the_queries_are_of_its_kinds": """
        kinds = frozenset({"book"})
    """,
    "test_what_is_found_names_itself": """
        def answer(self, found): return replace(super().answer(found), ids={"films": "7"})
    """,
    "test_what_is_found_has_values_of_the_right_shape": """
        def answer(self, found): return replace(super().answer(found), rating=83)
    """,
    "test_what_is_found_has_absolute_urls": """
        def answer(self, found): return replace(super().answer(found), logo_url="/logo.svg")
    """,
    "test_what_is_found_lists_genres_and_people": """
        def answer(self, found):
            return replace(super().answer(found), people=(Person("Pete Docter", "Director"),))
    """,
    "test_what_is_not_found_is_none": """
        def fetch(self, query): return super().fetch(query) or MediaMetadata({}, query.title)
    """,
    "test_it_can_be_asked_again": """
        def fetch(self, query):
            self.cached = getattr(self, "cached", None) or super().fetch(query)
            return self.cached
    """,
    "test_a_show_without_ids_has_no_season": """
        def fetch_season(self, ids, number): return SeasonMetadata(number)
    """,
    "test_a_known_season": """
        def fetch_season(self, ids, number):
            found = super().fetch_season(ids, number)
            return found and replace(found, episodes=found.episodes * 2)
    """,
    "test_failures_are_provider_errors": """
        def fetch(self, query): return self.http.request("GET", "https://films.example/x").json()
    """,
    "test_it_can_be_closed": """
        def close(self): raise RuntimeError
    """,
}

_SUITE = """
class Test{name}(MetadataSuite):
    class Provider(Films):
        pass
{body}
    def made(self, http): return self.Provider({{"key": "k"}}, FakeProviderContext(), http)
    @pytest.fixture
    def provider(self):
        http = FakeHttp()
        http.answer_json("GET", URL + "?q=Up", [{{"id": "7", "title": "Up"}}])
        http.answer_json("GET", URL, [])
        return self.made(http)
    @pytest.fixture
    def known_query(self): return MediaQuery("movie", "Up", 2009)
    @pytest.fixture
    def unknown_query(self): return MediaQuery("movie", "No such film")
    @pytest.fixture
    def known_season(self): return {{"OTHER": "7"}}, 1
    @pytest.fixture
    def broken_provider(self): return self.made(FakeHttp())
"""

_HEAD = """
from dataclasses import replace
import pytest
from plugin_sdk import MediaMetadata, MediaQuery, Person, SeasonMetadata
from plugin_sdk.testing import FakeHttp, FakeProviderContext, MetadataSuite
from films import URL, Films
"""

PROMISES = {name for name in vars(MetadataSuite) if name.startswith("test_")}


def test_an_honest_provider_passes(run_pytest: Callable[..., Any]) -> None:
    outcome = run_pytest(_HEAD + _SUITE.format(name="Films", body=""), files={"films.py": FILMS})
    assert outcome.passed == {f"TestFilms.{name}" for name in PROMISES}, outcome.output


def test_each_broken_promise_is_found(check_mutants: Callable[..., None]) -> None:
    def made(number: int, _name: str, body: str) -> str:
        return _SUITE.format(name=f"Mutant{number}", body=body)

    check_mutants(MetadataSuite, MUTANTS, _HEAD, made, {"films.py": FILMS})
