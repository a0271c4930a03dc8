"""Whatever a server answers is read, or passed over."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from builtin_plugins.musicbrainz import answers

NAMES = [
    "title", "name", "length", "artist-credit", "releases", "genres", "tags", "rating",
    "first-release-date", "life-span", "score", "disambiguation", "country",
]  # fmt: skip
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", *NAMES, "artist", "count", "value"]), inner, max_size=6
        )
    ),
    max_leaves=15,
)
ENTITIES = st.dictionaries(st.sampled_from(NAMES), JSONISH)


@given(ENTITIES, JSONISH)
@example({"length": float("inf")}, None)
@example({"length": -5, "rating": {"value": 10**400}}, [{"score": 10**400}])
def test_any_answer_is_read_or_passed_over(entity, found):
    answers.best(found, "x", "y", 1999)
    answers.best([entity], "x", "", None)
    for read in (answers.song, answers.album, answers.artist):
        value = read({"id": "1", "title": "t", "name": "n", **entity})
        assert value is None or (value.ids and value.title)
        assert value is None or value.rating is None or 0 <= value.rating <= 10
        assert value is None or value.runtime_minutes is None or value.runtime_minutes > 0
