"""Any documents and values at all: never a 5xx, never half of one is stored."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import ALICE, BOB, BOX, EMPTY, FRESH, S_PUB

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *EMPTY,
        *FRESH,
        "id",
        "url",
        "uri",
        "keys",
        "public_key",
        "private_key",
        "my_identity",
        "alias",
        "drops",
        "drop_urls",
    ]
)
DOCUMENTS = st.dictionaries(
    NAMES | st.text(max_size=3),
    JSON | st.lists(st.dictionaries(NAMES, JSON | st.just(S_PUB) | st.just(BOX)), max_size=3),
    max_size=5,
)
SEGMENTS = NAMES | st.sampled_from(["0", "1", "@1", "-1", "chat", "a\\.b"]) | st.text(max_size=3)


@pytest.mark.parametrize("path", ["/settings", "/synced"])
@settings(max_examples=150)
@given(document=DOCUMENTS | JSON)
def test_any_document_is_taken_whole_or_not_at_all(client, path, document):
    before = client.get(path)
    content = json.dumps(document).encode()
    status = client.host.post(path, content=content).status
    assert status in (200, 400, 405)
    after = client.get(path)
    if status != 200:
        assert after == before
    else:
        assert client.post(path, after).status == 200
        assert client.get(path) == after


@pytest.mark.parametrize("path", ["/settings", "/synced"])
@settings(max_examples=150)
@given(segments=st.lists(SEGMENTS, min_size=1, max_size=4), value=JSON)
def test_any_put_is_taken_or_leaves_nothing(client, path, segments, value):
    assert client.post("/synced", {"identities": [ALICE], "contacts": [BOB]}).status == 200
    before = client.get(path)
    content = json.dumps({"key": ".".join(segments), "value": value}).encode()
    status = client.host.put(path, content=content).status
    assert status in (200, 400, 405)
    after = client.get(path)
    assert status == 200 or after == before
    assert client.post(path, after).status == 200
