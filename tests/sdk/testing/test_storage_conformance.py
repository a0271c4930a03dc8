"""The storage suite: an honest provider passes, and each broken promise is found."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from plugin_sdk.testing import MemoryStorage, StorageSuite


class TestMemoryStorage(StorageSuite):
    # It holds everything in memory, by name, and nothing stays of it.
    test_large_content_takes_little_memory = None
    test_a_new_provider_finds_it_again = None

    @pytest.fixture
    def provider(self) -> MemoryStorage:
        return MemoryStorage()


# Each breaks one promise of StorageProvider; the suite must find it by the test named beside it.
MUTANTS = {
    "test_put_tells_what_stat_tells": """
        def put(self, key, content, content_type):
            return replace(super().put(key, content, content_type), content_type="other/type")
    """,
    "test_info_is_of_the_right_shape": """
        def stat(self, key): return replace(super().stat(key), etag="x")
        def put(self, key, content, content_type):
            return replace(super().put(key, content, content_type), modified=1_777_000_000_000.0)
    """,
    "test_content_types_are_kept": """
        def put(self, key, content, content_type):
            return super().put(key, content, content_type.split(";")[0])
    """,
    "test_a_stream_is_stored_to_its_end": """
        def put(self, key, content, content_type):
            return super().put(key, io.BytesIO(content.read(1_000_000)), content_type)
    """,
    "test_a_stream_is_stored_from_where_it_stands": """
        def put(self, key, content, content_type):
            if content.seekable():
                content.seek(0)
            return super().put(key, content, content_type)
    """,
    "test_what_is_missing_is_not_found": """
        def open(self, key, start=0, length=None):
            try:
                return super().open(key, start, length)
            except NotFound:
                return io.BytesIO(b"")
    """,
    "test_ranges": """
        def open(self, key, start=0, length=None):
            return super().open(key, start, length or None)
    """,
    "test_a_range_beyond_the_end_is_cut_off": """
        def open(self, key, start=0, length=None):
            if start > self.stat(key).size:
                raise ValueError
            return super().open(key, start, length)
    """,
    "test_a_range_is_read_in_pieces": """
        def open(self, key, start=0, length=None):
            stream = super().open(key)
            stream.seek(start)
            return stream if (length or 0) > 1000 else super().open(key, start, length)
    """,
    "test_the_etag_changes_with_the_content": """
        def put(self, key, content, content_type):
            info = replace(super().put(key, content, content_type), etag="same")
            self._stored[key] = (info, self._stored[key][1])
            return info
    """,
    "test_a_replaced_blob_is_the_new_one_alone": """
        def put(self, key, content, content_type):
            try:
                content_type = self.stat(key).content_type
            except NotFound:
                pass
            return super().put(key, content, content_type)
    """,
    "test_a_stream_that_breaks_changes_nothing": """
        def put(self, key, content, content_type):
            super().put(key, io.BytesIO(content.read(1000)), content_type)
            return super().put(key, content, content_type) if content.read() is None else (
                self.stat(key))
    """,
    "test_who_reads_keeps_the_content_that_he_opened": """
        def open(self, key, start=0, length=None):
            whole = MemoryStorage.open
            provider = self
            class Live(io.RawIOBase):
                at = start
                def readable(self): return True
                def readinto(self, buffer):
                    left = len(buffer) if length is None else start + length - self.at
                    piece = whole(provider, key, self.at, min(left, len(buffer))).read()
                    buffer[:len(piece)] = piece
                    self.at += len(piece)
                    return len(piece)
            self.stat(key)
            return Live()
    """,
    "test_deleting": """
        def delete(self, key):
            super().delete(key)
            return True
    """,
    "test_a_deleted_key_can_be_used_again": """
        gone = frozenset()
        def delete(self, key):
            self.gone |= {key}
            return super().delete(key)
        def put(self, key, content, content_type):
            return super().put(key, io.BytesIO() if key in self.gone else content, content_type)
    """,
    "test_odd_keys": """
        def put(self, key, content, content_type):
            return replace(super().put(key.casefold(), content, content_type), key=key)
        def _found(self, key): return super()._found(key.casefold())
        def delete(self, key): return super().delete(key.casefold())
    """,
    "test_the_longest_keys": """
        def put(self, key, content, content_type):
            if len(key.encode()) > 512:
                raise OSError("File name too long")
            return super().put(key, content, content_type)
    """,
    "test_listing_is_in_the_order_of_code_points": """
        def list(self, prefix="", *, after=None, limit=1000):
            found = super().list(prefix, after=after, limit=limit)
            return sorted(found, key=lambda info: info.key.encode("utf-16-be"))
    """,
    "test_listing_by_prefix": """
        def list(self, prefix="", *, after=None, limit=1000):
            pattern = re.escape(prefix).replace("_", ".").replace("%", ".*")
            found = super().list("", after=after, limit=limit)
            return [info for info in found if re.match(pattern, info.key)]
    """,
    "test_listing_behind_a_key": """
        def list(self, prefix="", *, after=None, limit=1000):
            found = super().list(prefix, limit=100_000)
            keys = [info.key for info in found]
            start = keys.index(after) + 1 if after in keys else 0
            return found[start:start + limit]
    """,
    "test_listing_is_limited": """
        def list(self, prefix="", *, after=None, limit=1000):
            return super().list(prefix, after=after, limit=limit + 1)
    """,
    "test_a_long_listing_in_pages": """
        def list(self, prefix="", *, after=None, limit=1000):
            return super().list(prefix, after=after, limit=min(limit, 1000))
    """,
    "test_an_address_for_clients_is_a_url_or_none": """
        def url(self, key, expires_seconds): return "/files/" + key
    """,
    "test_readers_see_one_content_whole": """
        def __init__(self):
            super().__init__()
            self.stored, self.seen = False, threading.Event()
        def put(self, key, content, content_type):
            data = content.read()
            if self.stored:
                super().put(key, io.BytesIO(data[:1000]), content_type)
                self.seen.wait(60)
            self.stored = True
            return super().put(key, io.BytesIO(data), content_type)
        def open(self, key, start=0, length=None):
            found = super().open(key, start, length)
            if len(found.getbuffer()) == 1000:
                self.seen.set()
            return found
    """,
    "test_threads_do_not_meet": """
        def __init__(self):
            super().__init__()
            self.meeting = threading.Barrier(2)
        def put(self, key, content, content_type):
            self.last = content.read()
            if not self.meeting.broken:
                self.meeting.wait(60)
                self.meeting.abort()
            return super().put(key, io.BytesIO(self.last), content_type)
    """,
    "test_large_content_takes_little_memory": "",
    "test_a_new_provider_finds_it_again": """
        class Forgets(MemoryStorage): pass
    """,
    "test_it_says_what_it_is": """
        name = "My Storage"
    """,
    "test_what_is_stored_is_read": """
        def open(self, key, start=0, length=None):
            text = super().open(key, start, length).read()
            return io.BytesIO(text.replace(b"\\r\\n", b"\\n").replace(b"\\n", b"\\r\\n"))
    """,
    "test_empty_content": """
        def put(self, key, content, content_type):
            info = super().put(key, content, content_type)
            if not info.size:
                self.delete(key)
            return info
    """,
}

_HEAD = """
import io, re, threading
from dataclasses import replace
import pytest
from plugin_sdk import NotFound
from plugin_sdk.testing import MemoryStorage, StorageSuite
"""

_CLASS = """
class TestMutant{number}(StorageSuite):
    large, memory = 4_000_000, 2_000_000
    class Mutant(MemoryStorage):
        pass
{body}
    @pytest.fixture
    def provider(self): return self.Mutant()
    @pytest.fixture
    def reopen(self): return lambda provider: {reopened}
"""


@pytest.mark.timeout(300)  # thirty suites in a process of their own, on whatever machine
def test_each_broken_promise_is_found(check_mutants: Callable[..., None]) -> None:
    def made(number: int, name: str, body: str) -> str:
        reopened = "MemoryStorage()" if name == "test_a_new_provider_finds_it_again" else "provider"
        return _CLASS.format(number=number, body=body, reopened=reopened)

    check_mutants(StorageSuite, MUTANTS, _HEAD, made)


class _Swapping(MemoryStorage):
    def open(self, key: str, start: int = 0, length: int | None = None) -> io.BytesIO:
        content = super().open(key, start, length).read()
        return io.BytesIO(content.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("test_what_is_stored_is_read", "1285 bytes were read, 1280 were stored; .* from byte 10 "),
        ("test_a_stream_is_stored_to_its_end", "were read, 502000 were stored; .* from byte 10 "),
        ("test_a_range_is_read_in_pieces", "were read, 200000 were stored; .* from byte 34 "),
    ],
)
def test_contents_are_compared_by_the_suite_itself(test: str, text: str) -> None:
    """In CI pytest would write a difference line by line, for seconds or minutes."""
    with pytest.raises(pytest.fail.Exception, match=text):
        getattr(StorageSuite(), test)(_Swapping())
