"""What every storage provider promises, as tests."""

from __future__ import annotations

import io
import re
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Final

import pytest

from plugin_sdk.blobs import BlobInfo, StorageProvider, check_blob_key
from plugin_sdk.errors import NotFound
from plugin_sdk.testing.missing import missing
from plugin_sdk.testing.streams import Broken, breaking, dripping, zeros

__all__ = ["StorageSuite"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_MIB: Final = 1024 * 1024

# Keys that are allowed and that file systems, URLs and databases like to get wrong.
_ODD_KEYS: Final = (
    "a", "a/b", "a/b/c", "ab", "a b", "a.b", "a-b", "A", "A/B", "Z", "z", "0", "10", "9", " ",
    " leading", "trailing ", "trailing.", ".hidden", "..b", "...", "a/.b/c", "-rf", "~",
    "~root", "%2F", "%2e%2e", "a%00b", "100%", "a+b", "a&b=c", "a?b", "a#b", "a:b", "C:", "a*b",
    "a|b", "<a>", '"', "'", "`", "$HOME", "{a}", "a,b", "a;b", "@", "!", "(", "nul", "CON",
    "aux.txt", "plugin.json", "é", "e\u0301", "ß", "SS", "ı", "I", "İ", "日本語", "\u05d0",
    "\ufeff", "\ufffd", "\U00010000", "\U0001f600", "\U0001f600/\U0001f601", "\u202e", "\u2028",
    "meta/data", "data.meta", "data.json", "data.tmp", "tmp/data", "index", "manifest",
)  # fmt: skip


class StorageSuite:
    """Subclass it beside your tests, and give the fixture::

        from plugin_sdk.testing import StorageSuite

        class TestMyStorage(StorageSuite):
            @pytest.fixture
            def provider(self, tmp_path):
                provider = MyStorage(tmp_path)
                yield provider
                provider.close()

    Each test gets an empty provider. Where one test asks too much of the machine, say so in the
    class: ``large`` is the size in bytes of the content that must pass through without being held
    in memory, ``many`` the number of blobs of a long listing. A provider whose very purpose is to
    hold everything in memory sets ``test_large_content_takes_little_memory = None``.

    One fixture more is asked if you give it: ``reopen``, a function that closes a provider and
    returns a new one over the same content.
    """

    large: ClassVar[int] = 64 * _MIB
    memory: ClassVar[int] = 16 * _MIB
    """How many bytes may be held while ``large`` bytes pass through."""
    many: ClassVar[int] = 1100

    @pytest.fixture
    def provider(self) -> StorageProvider:
        """An empty provider."""
        raise missing("provider")

    @pytest.fixture
    def reopen(self) -> Callable[[StorageProvider], StorageProvider] | None:
        """Closes a provider and opens its content anew; or None."""
        return None

    def test_it_says_what_it_is(self, provider: StorageProvider) -> None:
        assert isinstance(provider, StorageProvider)
        assert _NAME.fullmatch(provider.name), "name: lower case, digits, - and _"

    # Storing and reading

    def test_what_is_stored_is_read(self, provider: StorageProvider) -> None:
        content = bytes(range(256)) * 5
        _put(provider, "folder/file.bin", content)
        _expect(_read(provider, "folder/file.bin"), content)

    def test_put_tells_what_stat_tells(self, provider: StorageProvider) -> None:
        info = provider.put("cover.png", io.BytesIO(b"12345"), "image/png")
        assert isinstance(info, BlobInfo)
        assert (info.key, info.size, info.content_type) == ("cover.png", 5, "image/png")
        assert provider.stat("cover.png") == info

    def test_info_is_of_the_right_shape(self, provider: StorageProvider) -> None:
        info = _put(provider, "a", b"1")
        assert isinstance(info.etag, str)
        assert info.etag
        assert '"' not in info.etag, "the etag is without quotes"
        assert not info.etag.startswith("W/"), "the etag is opaque, not a header"
        assert 1e9 < info.modified < 1e11, "modified is seconds since the epoch"

    def test_content_types_are_kept(self, provider: StorageProvider) -> None:
        for content_type in ("text/plain; charset=utf-8", "audio/ogg", 'a/b; c="d e"'):
            provider.put("a", io.BytesIO(b"1"), content_type)
            assert provider.stat("a").content_type == content_type
            assert provider.list()[0].content_type == content_type

    def test_empty_content(self, provider: StorageProvider) -> None:
        assert _put(provider, "empty", b"").size == 0
        assert _read(provider, "empty") == b""
        assert [info.key for info in provider.list()] == ["empty"]

    def test_a_stream_is_stored_to_its_end(self, provider: StorageProvider) -> None:
        content = bytes(range(251)) * 2000
        info = provider.put("dripping", dripping(content), "a/b")
        assert info.size == len(content)
        _expect(_read(provider, "dripping"), content)

    def test_a_stream_is_stored_from_where_it_stands(self, provider: StorageProvider) -> None:
        stream = io.BytesIO(b"0123456789")
        stream.seek(4)
        assert provider.put("rest", stream, "a/b").size == 6
        assert _read(provider, "rest") == b"456789"

    def test_what_is_missing_is_not_found(self, provider: StorageProvider) -> None:
        _put(provider, "there/also", b"1")
        for key in ("missing", "there", "there/als", "there/also/more", "There/also"):
            with pytest.raises(NotFound):
                provider.stat(key)
            with pytest.raises(NotFound):
                provider.open(key)
            with pytest.raises(NotFound):
                provider.open(key, 5, 5)

    def test_a_new_provider_finds_it_again(
        self,
        provider: StorageProvider,
        reopen: Callable[[StorageProvider], StorageProvider] | None,
    ) -> None:
        if reopen is None:
            pytest.skip("the suite has no fixture reopen")
        stored = [provider.put(key, io.BytesIO(b"1"), "a/b") for key in ("a", "a/b", "é")]
        again = reopen(provider)
        try:
            assert list(again.list()) == stored
            assert _read(again, "a/b") == b"1"
        finally:
            again.close()

    # Ranges

    def test_ranges(self, provider: StorageProvider) -> None:
        _put(provider, "digits", b"0123456789")
        for start, length, expected in (
            (0, None, b"0123456789"),
            (0, 10, b"0123456789"),
            (0, 1, b"0"),
            (3, 4, b"3456"),
            (3, None, b"3456789"),
            (9, 1, b"9"),
            (0, 0, b""),
            (5, 0, b""),
        ):
            assert _read(provider, "digits", start, length) == expected, (start, length)

    def test_a_range_beyond_the_end_is_cut_off(self, provider: StorageProvider) -> None:
        _put(provider, "digits", b"0123456789")
        for start, length, expected in (
            (8, 100, b"89"),
            (0, 2**40, b"0123456789"),
            (10, None, b""),
            (10, 1, b""),
            (11, 1, b""),
            (2**40, None, b""),
        ):
            assert _read(provider, "digits", start, length) == expected, (start, length)

    def test_a_range_is_read_in_pieces(self, provider: StorageProvider) -> None:
        content = bytes(range(256)) * 1024
        _put(provider, "big", content)
        with provider.open("big", 1000, 200_000) as stream:
            pieces = list(iter(lambda: stream.read(4096), b""))
            assert stream.read(10) == b"", "the stream ends with its range"
        assert max(map(len, pieces)) <= 4096
        _expect(b"".join(pieces), content[1000:201_000])

    # Replacing and deleting

    def test_the_etag_changes_with_the_content(self, provider: StorageProvider) -> None:
        etags = [_put(provider, "a", content).etag for content in (b"one", b"two", b"three")]
        assert len(set(etags)) == 3
        assert provider.stat("a").etag == etags[-1]

    def test_a_replaced_blob_is_the_new_one_alone(self, provider: StorageProvider) -> None:
        provider.put("a", io.BytesIO(b"long content"), "text/plain")
        provider.put("a", io.BytesIO(b"short"), "text/html")
        assert _read(provider, "a") == b"short"
        assert (provider.stat("a").size, provider.stat("a").content_type) == (5, "text/html")
        assert len(provider.list()) == 1

    def test_a_stream_that_breaks_changes_nothing(self, provider: StorageProvider) -> None:
        before = _put(provider, "a", b"old")
        for key in ("a", "new"):
            with pytest.raises(Broken):
                provider.put(key, breaking(200_000), "a/b")
        assert _read(provider, "a") == b"old"
        assert list(provider.list()) == [before]
        with pytest.raises(NotFound):
            provider.stat("new")

    def test_who_reads_keeps_the_content_that_he_opened(self, provider: StorageProvider) -> None:
        old, new = b"o" * _MIB, b"n" * _MIB
        _put(provider, "a", old)
        with provider.open("a") as stream:
            begun = stream.read(1000)
            _put(provider, "a", new)
            kept = begun + stream.read() in (old, new)
        assert kept, "a stream that was open went on in the new content"
        assert set(_read(provider, "a")) == {ord("n")}

    def test_deleting(self, provider: StorageProvider) -> None:
        _put(provider, "folder/a", b"1")
        _put(provider, "folder/b", b"2")
        assert provider.delete("folder/a") is True
        assert provider.delete("folder/a") is False
        assert provider.delete("folder") is False
        assert provider.delete("never/there") is False
        with pytest.raises(NotFound):
            provider.stat("folder/a")
        assert [info.key for info in provider.list()] == ["folder/b"]
        assert _read(provider, "folder/b") == b"2"

    def test_a_deleted_key_can_be_used_again(self, provider: StorageProvider) -> None:
        for content in (b"1", b"2"):
            _put(provider, "a/b/c", content)
            assert _read(provider, "a/b/c") == content
            assert provider.delete("a/b/c") is True
        assert list(provider.list()) == []
        _put(provider, "a/b", b"3")
        assert _read(provider, "a/b") == b"3"

    # Keys and listings

    def test_odd_keys(self, provider: StorageProvider) -> None:
        for key in _ODD_KEYS:
            _put(provider, check_blob_key(key), key.encode())
        assert [info.key for info in provider.list()] == sorted(_ODD_KEYS)
        for key in _ODD_KEYS:
            assert _read(provider, key) == key.encode(), f"{key!r} holds the content of another"
        for key in _ODD_KEYS:
            assert provider.delete(key) is True, f"{key!r} was not there, or went with another"
        assert list(provider.list()) == []

    def test_the_longest_keys(self, provider: StorageProvider) -> None:
        keys = sorted(["k" * 512, "/".join("s" * 256), "l/" + "k" * 510, "\U0001f600" * 225])
        for key in keys:
            _put(provider, check_blob_key(key), key[-1:].encode())
        assert [info.key for info in provider.list()] == keys
        assert [_read(provider, key) for key in keys] == [key[-1:].encode() for key in keys]

    def test_listing_is_in_the_order_of_code_points(self, provider: StorageProvider) -> None:
        keys = ["a", "a b", "a!b", "a/b", "aa", "B", "a/", "é", "\ufffd", "\U00010000", "a0"]
        keys = [key.rstrip("/") + "/x" for key in keys]
        for key in keys:
            _put(provider, key, b"")
        assert [info.key for info in provider.list()] == sorted(set(keys))

    def test_listing_by_prefix(self, provider: StorageProvider) -> None:
        for key in ("a", "ab", "a/b", "a/bc", "b/a", "A/b", "%", "_", "a_", "axb"):
            _put(provider, key, b"")
        for prefix, expected in (
            ("a", ["a", "a/b", "a/bc", "a_", "ab", "axb"]),
            ("a/", ["a/b", "a/bc"]),
            ("a/b", ["a/b", "a/bc"]),
            ("a_", ["a_"]),
            ("%", ["%"]),
            ("missing", []),
            ("a/b/", []),
        ):
            assert [info.key for info in provider.list(prefix)] == expected, prefix

    def test_listing_behind_a_key(self, provider: StorageProvider) -> None:
        for key in ("a", "b", "b/c", "d"):
            _put(provider, key, b"")
        for after, expected in (
            ("", ["a", "b", "b/c", "d"]),
            ("a", ["b", "b/c", "d"]),
            ("aa", ["b", "b/c", "d"]),
            ("b", ["b/c", "d"]),
            ("b/c", ["d"]),
            ("d", []),
            ("z", []),
        ):
            assert [info.key for info in provider.list(after=after)] == expected, after
        assert [info.key for info in provider.list("b", after="a")] == ["b", "b/c"]
        assert [info.key for info in provider.list("b", after="c")] == []

    def test_listing_is_limited(self, provider: StorageProvider) -> None:
        for key in "abcde":
            _put(provider, key, b"")
        assert [info.key for info in provider.list(limit=2)] == ["a", "b"]
        assert [info.key for info in provider.list(after="b", limit=2)] == ["c", "d"]
        assert len(provider.list(limit=5)) == 5
        assert len(provider.list(limit=6)) == 5

    def test_a_long_listing_in_pages(self, provider: StorageProvider) -> None:
        keys = sorted(f"folder {number % 7}/{number:05}" for number in range(self.many))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: _put(provider, key, b"1"), keys))
        whole = [info.key for info in provider.list(limit=2 * self.many)] == keys
        assert whole, f"a listing of {len(keys)} blobs is not what was stored"
        paged: list[str] = []
        while page := provider.list(after=paged[-1] if paged else None, limit=self.many // 3):
            paged += [info.key for info in page]
        same = paged == keys
        assert same, f"{len(paged)} blobs were listed in pages, {len(keys)} are there"

    def test_an_address_for_clients_is_a_url_or_none(self, provider: StorageProvider) -> None:
        _put(provider, "a", b"1")
        url = provider.url("a", 60)
        assert url is None or re.match(r"https?://[^\s]+$", url)

    # Many at once, and much

    def test_readers_see_one_content_whole(self, provider: StorageProvider) -> None:
        contents = [bytes([number]) * 300_000 for number in range(6)]
        _put(provider, "shared", contents[0])
        over = threading.Event()

        def read() -> int:
            count = 0
            while not over.is_set() or count == 0:
                whole = _read(provider, "shared") in contents
                assert whole, "a reader got a part of a content, or a mixture of two"
                count += 1
            return count

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(2)]
            writers = [
                pool.submit(_put, provider, "shared", content) for content in contents for _ in "12"
            ]
            try:
                for writer in writers:
                    writer.result()
            finally:
                over.set()
            assert all(reader.result() > 0 for reader in readers)
        assert len(set(_read(provider, "shared"))) == 1
        assert len(provider.list()) == 1

    def test_threads_do_not_meet(self, provider: StorageProvider) -> None:
        def live(number: int) -> None:
            for turn in range(5):
                key = f"area/{number}/{turn}"
                content = f"{number}:{turn}".encode() * 1000
                info = _put(provider, key, content)
                assert provider.stat(key) == info
                _expect(_read(provider, key), content)
                assert provider.delete(key) is True

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(live, range(16)))
        assert list(provider.list()) == []

    def test_large_content_takes_little_memory(self, provider: StorageProvider) -> None:
        tracemalloc.start()
        try:
            info = provider.put("large", zeros(self.large), "a/b")
            assert info.size == self.large
            with provider.open("large") as stream:
                read = sum(map(len, iter(lambda: stream.read(_MIB), b"")))
            assert read == self.large
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak <= self.memory, f"{peak} bytes were held for a content of {self.large}"
        assert _read(provider, "large", self.large - 3) == b"\0\0\0"


def _expect(found: bytes, stored: bytes) -> None:
    """That they are the same, and where not. In CI pytest would compare them line by line, which
    takes seconds for a thousand bytes and minutes for more."""
    if found != stored:
        pairs = enumerate(zip(found, stored, strict=False))
        place = next((at for at, (one, other) in pairs if one != other), None)
        at = "one ends there" if place is None else f"they differ from byte {place} on"
        pytest.fail(f"{len(found)} bytes were read, {len(stored)} were stored; {at}")


def _put(provider: StorageProvider, key: str, content: bytes) -> BlobInfo:
    return provider.put(key, io.BytesIO(content), "application/octet-stream")


def _read(provider: StorageProvider, key: str, start: int = 0, length: int | None = None) -> bytes:
    with provider.open(key, start, length) as stream:
        return stream.read()
