"""What a folder or an archive may bring along: plain files, under names that stay inside."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from host.plugins.distributions import plugins_in
from host.plugins.files import remove
from host.plugins.packages import code_files, put_code, staged
from host.plugins.releases import release_in
from plugin_sdk import Invalid, StageboxError

MANIFEST = '{"id": "ada.small", "name": "Small", "version": "1.0.0", "sdk": "*"}'
SMALL = {"plugin.json": MANIFEST, "__init__.py": "plugin = None\n" * 50}


def archive(folder: Path, more: Mapping[str, str | bytes] | None = None) -> Path:
    path = folder / "small.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {**SMALL, **(more or {})}.items():
            file.writestr(name, content)
    return path


def write(folder: Path) -> Path:
    folder.mkdir()
    for name, content in SMALL.items():
        (folder / name).write_text(content)
    return folder


def names_in(source: Path, folders: Path) -> set[str]:
    with staged(source, folders) as folder:
        return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "name", ["x\n..", "x\r", "x\u2028..", "a\x1cb/c.py", "a/./b", "a//b", "n" * 256, "\x85"]
)
def test_a_name_that_a_list_of_lines_would_break_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="cannot be unpacked safely"):
        names_in(archive(tmp_path, {name: ""}), tmp_path / "folders")
    assert list((tmp_path / "folders").iterdir()) == []


@pytest.mark.parametrize("name", [b"x\n..", b"\xff.txt"])
def test_nor_does_a_folder_bring_one(tmp_path: Path, name: bytes) -> None:
    source = write(tmp_path / "small")
    with open(os.path.join(os.fsencode(source), name), "w"):  # noqa: PTH118, PTH123  # no text
        pass
    with pytest.raises(Invalid, match="name cannot be used"):
        names_in(source, tmp_path / "folders")


@pytest.mark.parametrize("line", ["..", "", ".", "../other", "/"])
def test_a_note_of_the_code_names_nothing_outside_of_the_folder(tmp_path: Path, line: str) -> None:
    """Whoever wrote it: what it names is removed by the next installation."""
    folder = tmp_path / "plugins" / "ada.small"
    (tmp_path / "plugins" / "other").mkdir(parents=True)
    with staged(write(tmp_path / "small"), tmp_path / "plugins") as source:
        put_code(source, folder)
    with (folder / ".installed").open("a") as note:
        note.write(f"{line}\n")
    assert {path.name for path in code_files(folder)} == {*SMALL, ".installed"}


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"Small")] ^= 1
    path.write_bytes(content)


def encrypted(path: Path) -> None:
    _in_headers(path, 6, 1)


def unknown(path: Path) -> None:
    _in_headers(path, 8, 99)


def _in_headers(path: Path, offset: int, value: int) -> None:
    """Writes a number into an entry's header and, two bytes further, into the directory's: they
    are what a reader looks at first."""
    content = bytearray(path.read_bytes())
    for signature, start in ((b"PK\x03\x04", offset), (b"PK\x01\x02", offset + 2)):
        at = content.index(signature) + start
        content[at : at + 2] = struct.pack("<H", value)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "said"), [(damaged, "CRC"), (encrypted, "encrypted"), (unknown, "compression")]
)
def test_an_archive_that_cannot_be_read_is_refused_with_a_sentence(
    tmp_path: Path, harm, said: str
) -> None:
    path = archive(tmp_path)
    harm(path)
    with pytest.raises(Invalid, match=rf'"small\.zip" cannot be unpacked: .*{said}'):
        names_in(path, tmp_path / "folders")


@pytest.mark.parametrize("harm", [damaged, encrypted, unknown])
@pytest.mark.parametrize(
    ("read", "name"), [(plugins_in, "entry_points.txt"), (release_in, "METADATA")]
)
def test_nor_does_a_damaged_wheel_end_a_command(tmp_path: Path, harm, read, name: str) -> None:
    path = tmp_path / "small-1.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"small-1.dist-info/{name}", "Small")
    harm(path)
    with pytest.raises(Invalid, match="cannot be read"):
        read(path)


def test_a_wheel_without_a_version_is_none(tmp_path: Path) -> None:
    path = tmp_path / "stagebox.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a-1.dist-info/METADATA", "Name: stagebox\n")
        file.writestr("plugin_sdk/manifest.py", 'SDK_VERSION: str = "1.0.0"\n')
    with pytest.raises(Invalid, match="cannot be read as a wheel"):
        release_in(path)


@pytest.mark.parametrize(
    "more",
    [{"a": "x", "a/b": "y"}, {"a/b": "y", "a": "x"}, {"s.dist-info/METADATA": b"\xff\xfe"}],
    ids=["file-first", "folder-first", "metadata"],
)
def test_contents_that_cannot_be_are_refused(tmp_path: Path, more) -> None:
    with pytest.raises(Invalid):
        names_in(archive(tmp_path, more), tmp_path / "folders")


def test_what_tools_left_beside_the_code_stays_there(tmp_path: Path) -> None:
    source = write(tmp_path / "small")
    for name in (".stagebox/plugins/ada.small", "deep/__pycache__", ".git", "deep/kept"):
        (source / name).mkdir(parents=True)
        (source / name / "file").write_text("")
    assert names_in(source, tmp_path / "folders") == {*SMALL, "deep", "deep/kept", "deep/kept/file"}


def test_a_folder_of_everything_is_given_up_at_its_limit(tmp_path: Path, monkeypatch) -> None:
    source = write(tmp_path / "small")
    for number in range(40):
        (source / f"f{number:02}").mkdir()
        (source / f"f{number:02}" / "file").write_text("")
    monkeypatch.setattr("host.plugins.packages.MAX_FILES", 10)
    listed: list[Path] = []
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path) or iterdir(path))
    with pytest.raises(StageboxError, match="at most 10 files"):
        names_in(source, tmp_path / "folders")
    assert len([each for each in listed if each.is_relative_to(source)]) < 15


def test_removing_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "film").write_text("")
    for target in ("media", "media/film", "nowhere"):
        (tmp_path / "link").symlink_to(tmp_path / target)
        remove(tmp_path / "link")
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["media", "film"]
