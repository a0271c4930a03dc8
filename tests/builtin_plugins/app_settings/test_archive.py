"""ZIP files from anybody (plugin contract, 7.3)."""

from __future__ import annotations

import io
import stat
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.app_settings.archive import read_archive
from plugin_sdk import Invalid


def packed(
    *entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content, method)
    return buffer.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        read_archive(io.BytesIO(data))
    assert caught.value.code == "INVALID_BUNDLE"
    return caught.value.message


def named(name: str) -> bytes:
    """Also with names that the library would not write."""
    stand_in = "X" * len(name.encode())
    return packed((stand_in, b"{}")).replace(stand_in.encode(), name.encode())


def test_what_is_in_it() -> None:
    data = packed(("config.json", b"{}"), ("plugins/a.json", b"[1]"), ("plugins/", b""))
    assert read_archive(io.BytesIO(data)) == {"config.json": b"{}", "plugins/a.json": b"[1]"}
    assert read_archive(io.BytesIO(packed(("a", b"x"), method=zipfile.ZIP_STORED))) == {"a": b"x"}


@pytest.mark.parametrize(
    "name",
    [
        "/config.json",
        "../config.json",
        "a/../config.json",
        "a/./b",
        "a//b",
        "./a",
        ".hidden",
        "a/.hidden/b",
        "a\\b",
        "..\\a",
        "C:/a",
        "c:a",
        "a\0.json",
        "a\nb",
        "..",
        "/",
    ],
)
def test_names(name: str) -> None:
    assert "name" in refused(named(name))


def test_links_and_devices() -> None:
    for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR):
        entry = zipfile.ZipInfo("config.json")
        entry.external_attr = (kind | 0o777) << 16
        assert "link" in refused(packed((entry, b"/etc/passwd")))


def test_the_same_name_twice() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = packed(("a", b"1"), ("a", b"2"))
    assert "twice" in refused(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(method: int) -> None:
    assert "not supported" in refused(packed(("a", b"1"), method=method))


def test_encrypted() -> None:
    data = bytearray(packed(("a", b"1")))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in refused(bytes(data))


def test_a_wrong_checksum() -> None:
    data = bytearray(packed(("a", b"some content"), method=zipfile.ZIP_STORED))
    data[data.index(b"some")] ^= 1
    assert "CRC" in refused(bytes(data))


def test_too_much() -> None:
    assert "200 entries" in refused(packed(*((f"e{n}", b"") for n in range(201))))
    assert "unfolds" in refused(packed(("a", bytes(1024 * 1024 + 1))))
    assert "unfolds" in refused(packed(*((f"e{n}", bytes(1024 * 1024)) for n in range(9))))
    within = packed(*((f"e{n}", bytes(1024 * 1024)) for n in range(8)))
    assert len(read_archive(io.BytesIO(within))) == 8


def test_an_entry_that_lies_about_its_size() -> None:
    data = bytearray(packed(("a", bytes(5 * 1024 * 1024))))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.index(mark) + offset, 10)
    refused(bytes(data))


def test_a_directory_that_would_fill_the_memory() -> None:
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 9, 1, *[0] * 6) + b"x"
    directory = entry * 100_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0, 0)
    assert "200 entries" in refused(directory + end)


def test_zip64() -> None:
    data = packed(("a", b"1"))
    at = data.index(b"PK\x05\x06")
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    assert "ZIP64" in refused(data[:at] + locator + data[at:])


@pytest.mark.parametrize("data", [b"", b"PK", b"{}", b"PK\x05\x06", bytes(100_000)])
def test_what_is_no_zip(data: bytes) -> None:
    assert "no ZIP" in refused(data)


@given(st.data())
def test_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    content = {"config.json": b'{"a": 1}' * 20, "plugins/b.json": b"{}"}
    whole = bytearray(packed(*content.items()))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found: dict[str, bytes] = {}
    code = "INVALID_BUNDLE"
    try:
        found = read_archive(io.BytesIO(bytes(whole)))
    except Invalid as error:
        code = error.code
    assert code == "INVALID_BUNDLE"
    assert set(found.values()) <= set(content.values())
