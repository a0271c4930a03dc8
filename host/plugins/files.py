"""The files of a plugin folder: which there are, which names they may have, and removing them."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Final

__all__ = ["IGNORED", "files_below", "is_safe_name", "remove"]

IGNORED: Final = frozenset(
    {"__pycache__", ".git", ".venv", "venv", ".pytest_cache", ".mypy_cache", ".ruff_cache",
     ".hypothesis", ".stagebox"}
)  # fmt: skip
"""Folders that tools leave beside a plugin's code. ``.stagebox`` is where `stagebox plugin dev`
keeps its data, a copy of this very folder among them."""

_BREAKING: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: controls, halves of characters, ends of lines and paragraphs."""
_MAX_NAME_BYTES: Final = 255


def files_below(folder: Path, ignored: Container[str] = IGNORED) -> Iterator[Path]:
    """Files, and links whatever they lead to, in a steady order; nothing within a folder that is
    ``ignored``. One folder is listed at a time, so that whoever counts can stop early."""
    pending = [folder]
    while pending:
        try:
            entries = sorted(pending.pop().iterdir())
        except FileNotFoundError:  # gone since it was listed
            continue
        for each in entries:
            if each.is_symlink() or not each.is_dir():
                yield each
            elif each.name not in ignored:
                pending.append(each)


def is_safe_name(name: str) -> bool:
    """Whether this names an entry of a folder, there and in a list of a line each."""
    return (
        name not in ("", ".", "..")
        and not any(char in "/\\" or unicodedata.category(char) in _BREAKING for char in name)
        and len(name.encode()) <= _MAX_NAME_BYTES
    )


def remove(path: Path) -> None:
    """A file, a folder with all that is in it, or a link, whose target stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
