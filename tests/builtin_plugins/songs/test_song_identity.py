"""Names of songs, and texts as they are compared (songs contract, 1)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.songs.identity import clean, filename_of, fold, letter_of, track_id_of
from builtin_plugins.songs.rows import bases_of


@pytest.mark.parametrize(
    ("filename", "track_id"),
    [
        ("Alpha/first.sloppak", "track_b73d5c0ff6e09bb657b0c97b201f0d90"),
        ("first.sloppak", "track_1a84225226baec58d969372bed149579"),
        ("Mot\u00f6rhead/Ace of Spades.feedpak", "track_9ce8da7fefac3289c7e2ddd0e1e3aa82"),
        ("Moto\u0308rhead/Ace of Spades.feedpak", "track_9ce8da7fefac3289c7e2ddd0e1e3aa82"),
    ],
)
def test_the_same_path_is_the_same_song(filename: str, track_id: str) -> None:
    assert track_id_of(filename_of(filename)) == track_id


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Édith  PIAF", "edith piaf"),
        ("ＡＣ／ＤＣ", "ac/dc"),
        ("Motörhead", "motorhead"),
        ("Sigur Rós", "sigur ros"),
        ("Straße", "strasse"),
        ("ﬁnale", "finale"),
        ("İzmir", "izmir"),
        ("Ørsted", "ørsted"),
        (" \t plain  TEXT ", "plain text"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_folding_knows_no_case_and_no_form(text: str) -> None:
    once = fold(text)
    assert fold(unicodedata.normalize("NFD", text)) == once
    assert fold(once) == once
    assert once == once.strip()


@pytest.mark.parametrize(
    ("artist", "letter"),
    [("abba", "A"), ("zz top", "Z"), ("", "#"), ("3 doors", "#"), ("ørsted", "#"), ("{x", "#")],
)
def test_letters(artist: str, letter: str) -> None:
    assert letter_of(artist) == letter


def test_texts_of_files_can_be_stored() -> None:
    assert clean("a\0b\ud800c") == "a\ufffdb\ufffdc"
    assert len(clean("x" * 5000)) == 1000


def test_variants_name_their_bases() -> None:
    assert list(bases_of("f/A_EStd_b.psarc")) == [track_id_of("f/A_b.psarc")]
    assert list(bases_of("A_EStd_DropD_b.x")) == [
        track_id_of("A_DropD_b.x"),
        track_id_of("A_EStd_b.x"),
    ]
    assert list(bases_of("f_EStd_g/A_b.psarc")) == []
