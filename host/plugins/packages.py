"""Plugins that arrive as a folder, a ZIP or a wheel: unpacked safely and put in place."""

from __future__ import annotations

import lzma
import shutil
import stat
import tempfile
import tomllib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Final

from host.plugins.files import files_below, is_safe_name
from host.plugins.manifests import MANIFEST_NAME
from plugin_sdk import Invalid, TooLarge

__all__ = [
    "DAMAGED",
    "INCOMING",
    "code_files",
    "is_installed",
    "member_text",
    "move_code",
    "put_code",
    "read_requirements",
    "staged",
    "wheel_metadata",
]

MAX_FILES: Final = 5000
MAX_BYTES: Final = 200 * 1024 * 1024
INCOMING: Final = ".incoming-"
"""How names of folders begin that are on their way into their place, or out of it."""
_MAX_TEXT: Final = 2 * 1024 * 1024
_DATA: Final = frozenset({"plugin.db", "plugin.db-wal", "plugin.db-shm"})
_RECORD: Final = ".installed"
_REQUIREMENTS: Final = ".requires-dist"
"""What the plugin's package requires, a line each, as core metadata write it: a plugin in a folder
has no package metadata that others could ask."""
DAMAGED: Final = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
"""What reading an archive raises that is cut short, changed, encrypted (RuntimeError) or packed in
a way that Python does not know (NotImplementedError, which is one)."""


@contextmanager
def staged(source: Path, folders: Path) -> Iterator[Path]:
    """A temporary copy, beside the plugin folders, of the folder that holds plugin.json.

    Raises Invalid for what is no plugin, TooLarge beyond 5,000 files or 200 MiB."""
    folders.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=INCOMING, dir=folders))
    try:
        if source.is_dir():
            _copy_folder(source, stage / "unpacked")
        elif zipfile.is_zipfile(source):
            _unpack(source, stage / "unpacked")
        else:
            raise Invalid(f'"{source.name}" is neither a plugin folder nor a ZIP or wheel.')
        folder = _plugin_folder(stage / "unpacked", source.name)
        _note_requirements(stage / "unpacked", folder)
        yield folder
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _note_requirements(root: Path, folder: Path) -> None:
    """A plugin folder that was installed before brings its own note."""
    metadata = next(iter(sorted(root.glob("*.dist-info/METADATA"))), None)
    project = root / "pyproject.toml"
    try:
        if metadata is not None:
            headers = wheel_metadata(metadata.read_text(encoding="utf-8"))
            requires = [str(each) for each in headers.get_all("Requires-Dist", [])]
        elif project.is_file():
            requires = _dependencies(project.read_text(encoding="utf-8"))
        else:
            return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        name = project.name if metadata is None else metadata.name
        raise Invalid(f"{name} cannot be read: {error}") from None
    lines = "".join(f"{' '.join(each.split())}\n" for each in requires)
    (folder / _REQUIREMENTS).write_text(lines, encoding="utf-8")


def _dependencies(pyproject: str) -> list[str]:
    project = tomllib.loads(pyproject).get("project", {})
    given = project.get("dependencies", []) if isinstance(project, dict) else []
    return [each for each in given if isinstance(each, str)]


def read_requirements(folder: Path) -> list[str]:
    """What the package of a plugin in a folder requires, as far as it is known."""
    try:
        return (folder / _REQUIREMENTS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def member_text(archive: zipfile.ZipFile, name: str) -> str:
    """A member of an archive as UTF-8. Raises Invalid beyond 2 MiB."""
    if archive.getinfo(name).file_size > _MAX_TEXT:
        raise Invalid(f'"{name}" is larger than such a file ever is.')
    return archive.read(name).decode("utf-8")


def wheel_metadata(text: str) -> Message:
    """The headers of core metadata."""
    return HeaderParser().parsestr(text)


def _plugin_folder(root: Path, name: str) -> Path:
    found = sorted(
        (path.parent for path in root.rglob(MANIFEST_NAME)), key=lambda path: len(path.parts)
    )
    if not found:
        raise Invalid(f'"{name}" holds no {MANIFEST_NAME}.')
    nearest = [path for path in found if len(path.parts) == len(found[0].parts)]
    if len(nearest) > 1:
        raise Invalid(f'"{name}" holds several plugins; install them one by one.')
    return nearest[0]


def _copy_folder(source: Path, target: Path) -> None:
    count = size = 0
    for path in files_below(source):
        relative = path.relative_to(source)
        if len(relative.parts) == 1 and path.name in _DATA:
            continue
        if path.is_symlink():
            raise Invalid(f'"{relative}" is a symbolic link; a plugin must hold plain files.')
        if not all(map(is_safe_name, relative.parts)):
            raise Invalid(f"The folder has a file whose name cannot be used: {str(relative)!a}.")
        if path.is_file():
            count, size = count + 1, size + path.stat().st_size
            _limit(count, size)
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / relative)
    target.mkdir(parents=True, exist_ok=True)


def _unpack(source: Path, target: Path) -> None:
    """By what arrives, not by what the archive's directory says of itself."""
    target.mkdir(parents=True)
    try:
        with zipfile.ZipFile(source) as archive:
            _extract(archive, target)
    except DAMAGED as error:
        raise Invalid(f'"{source.name}" cannot be unpacked: {error}.') from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise Invalid(f'"{source.name}" has a file and a folder of the same name.') from None


def _extract(archive: zipfile.ZipFile, target: Path) -> None:
    size = 0
    _limit(len(archive.infolist()), 0)
    for info in archive.infolist():
        path = _safe_path(info)
        if info.is_dir():
            continue
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as entry, (target / path).open("wb") as file:
            while chunk := entry.read(256 * 1024):
                size += len(chunk)
                _limit(0, size)
                file.write(chunk)


def _safe_path(info: zipfile.ZipInfo) -> PurePosixPath:
    name = info.filename
    parts = name.removesuffix("/").split("/")
    link = stat.S_ISLNK(info.external_attr >> 16)
    if link or ":" in parts[0] or not all(map(is_safe_name, parts)):
        raise Invalid(f"The archive has an entry that cannot be unpacked safely: {name[:80]!a}.")
    return PurePosixPath(name)


def _limit(count: int, size: int) -> None:
    if count > MAX_FILES:
        raise TooLarge(f"A plugin may have at most {MAX_FILES} files.")
    if size > MAX_BYTES:
        raise TooLarge(f"A plugin may have at most {MAX_BYTES // (1024 * 1024)} MiB.")


def code_files(folder: Path, replacement: Path | None = None) -> list[Path]:
    """The top entries of a plugin folder that are code: of an installed one those that the
    installation brought; of one put there by hand Python files, the manifest, ``static`` and
    whatever the replacement brings too. The rest is the plugin's data."""
    record = folder / _RECORD
    if record.is_file():
        noted = record.read_text(encoding="utf-8").splitlines()
        names = {*filter(is_safe_name, noted), _RECORD, "__pycache__"}
    else:
        names = {MANIFEST_NAME, "static", "__pycache__"}
        names.update(path.name for path in folder.glob("*.py"))
        if replacement is not None:
            names.update(path.name for path in replacement.iterdir())
    return [folder / name for name in sorted(names - _DATA) if (folder / name).exists()]


def is_installed(folder: Path) -> bool:
    """Whether the folder's code came by an installation."""
    return (folder / _RECORD).is_file()


def move_code(paths: list[Path], target: Path) -> None:
    """Moves top entries into a folder, in place of what has the same name there."""
    target.mkdir(parents=True, exist_ok=True)
    for path in paths:
        there = target / path.name
        if there.is_dir() and not there.is_symlink():
            shutil.rmtree(there)
        path.replace(there)


def put_code(staged_folder: Path, target: Path) -> None:
    """Moves a staged plugin into its folder, and notes there what came."""
    paths = sorted(staged_folder.iterdir())
    move_code(paths, target)
    names = "\n".join(path.name for path in paths)
    (target / _RECORD).write_text(names + "\n", encoding="utf-8")
