from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.suggestions import did_you_mean, suggestion_suffix


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("frontent", ["frontend", "id"], "frontend"),  # replace
        ("sesionHours", ["sessionHours"], "sessionHours"),  # insert
        ("sessionHourss", ["sessionHours"], "sessionHours"),  # delete
        ("nmae", ["name"], "name"),  # swap of neighbours
        ("nmaee", ["name"], "name"),  # swap and delete: two
        ("nmaeee", ["name"], None),  # three
        ("LISTEN", ["listen"], "listen"),  # case does not count
        ("Lsiten", ["listen"], "listen"),
        ("maxSounds", ["MAXSOUND"], "MAXSOUND"),
        ("bat", ["cat", "bar", "hat"], "bar"),  # equally near: alphabetically first
        ("colour", ["colors", "colour1"], "colour1"),  # the nearer one
        ("threads", ["listen"], None),
        ("", ["id", "abc"], "id"),
        ("anything", [], None),
    ],
)
def test_the_nearest_known_word(word: str, known: list[str], expected: str | None) -> None:
    assert did_you_mean(word, known) == expected


def test_a_swap_over_one_letter_counts_one_even_at_the_start() -> None:
    assert did_you_mean("ab", ["ba"]) == "ba"
    assert did_you_mean("abcd", ["badc"]) == "badc"
    assert did_you_mean("abcdef", ["badcfe"]) is None


def test_suffix() -> None:
    assert suggestion_suffix("frontent", {"frontend": 1}) == ' did you mean "frontend"?'
    assert suggestion_suffix("frontent", []) == ""


def _reference(a: str, b: str) -> int:
    """The textbook recursion of the optimal string alignment distance."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            if i == 0 or j == 0:
                table[i][j] = i + j
                continue
            table[i][j] = min(
                table[i - 1][j] + 1,
                table[i][j - 1] + 1,
                table[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
            )
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


_words = st.text("abc", max_size=7)


@given(_words, _words)
def test_agrees_with_the_textbook(a: str, b: str) -> None:
    assert (did_you_mean(a, [b]) is not None) == (_reference(a, b) <= 2)
    assert did_you_mean(a, [b]) == did_you_mean(a.upper(), [b])
