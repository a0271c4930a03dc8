"""What the storage providers that come along refuse; the suite, which is for everybody's, only asks
what their callers send."""

from __future__ import annotations

import io

import pytest

from plugin_sdk import Invalid, NotFound, StorageProvider

__all__ = ["RefusalTests"]


class RefusalTests:
    """For a module with the fixture ``storage``: ``class TestRefusals(RefusalTests): …``."""

    @pytest.mark.parametrize("content_type", ["", "text/plain\r\nX: y", "text/plän", "t" * 256])
    def test_what_is_no_media_type_is_refused(
        self, storage: StorageProvider, content_type: str
    ) -> None:
        with pytest.raises(Invalid):
            storage.put("a", io.BytesIO(), content_type)

    @pytest.mark.parametrize("key", ["", "/", "a//b", "../a", "a\\b", "a\x00", "\ud800", "k" * 513])
    def test_what_is_no_key_is_not_stored_and_not_found(
        self, storage: StorageProvider, key: str
    ) -> None:
        with pytest.raises(Invalid):
            storage.put(key, io.BytesIO(b"1"), "a/b")
        with pytest.raises(NotFound):
            storage.stat(key)
        with pytest.raises(NotFound):
            storage.open(key)
        assert storage.delete(key) is False

    @pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
    def test_a_negative_range_is_refused(
        self, storage: StorageProvider, start: int, length: int | None
    ) -> None:
        storage.put("a", io.BytesIO(b"1"), "a/b")
        with pytest.raises(Invalid):
            storage.open("a", start, length)
