"""Which folders may be scanned (media contract, 5.6)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from builtin_plugins.media.fields import CONTROL, Fields, problem

__all__ = ["checked_folder", "checked_path"]

_UNSAFE: Final = "Invalid or unsafe file path"
_ROOTS: Final = (
    "/ /home /usr /var /etc /bin /boot /dev /lib /lib64 /proc /root /run /sbin /sys"
    " /System /Library /Applications /Users /Windows"
)
_REFUSED: Final = frozenset(
    path.casefold() for path in (*_ROOTS.split(" "), "/Program Files", "/Program Files (x86)")
)
_BELOW: Final = ("/proc/", "/sys/", "/dev/")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_WINDOWS: Final = os.name == "nt"


def checked_path(fields: Fields, name: str) -> str | None:
    """A path by its text alone, normalised; raises Invalid."""
    sent = fields.value(name)
    if sent is None:
        return None
    if not isinstance(sent, str):
        raise fields.refuse(name, "must be a text")
    if CONTROL.search(sent):  # before trimming, which takes some of them for white space
        raise problem(fields.path(name), _UNSAFE)
    text = sent.strip()
    if not 1 <= len(text) <= 5000:
        raise fields.refuse(name, "must have 1 to 5000 characters")
    path = _normal(text)
    if path is None:
        raise problem(fields.path(name), _UNSAFE)
    return path


def checked_folder(path: str, sent: str, allowed: Sequence[str]) -> None:
    """Looks at the disk; raises Invalid, naming what was sent."""
    try:
        real = os.path.realpath(path)
        if _is_refused(real):
            raise problem("path", f"{_UNSAFE}: {sent}")
        if allowed and not any(_lies_in(real, root) for root in allowed):
            raise problem("path", f"The path is not in an allowed root: {sent}")
        if not os.path.exists(real):  # noqa: PTH110 (a text, not a Path)
            raise problem("path", f"The path does not exist: {sent}")
        if not os.path.isdir(real):  # noqa: PTH112
            raise problem("path", f"The path is not a directory: {sent}")
        with os.scandir(real):
            pass
    except (OSError, ValueError):
        raise problem("path", f"The path is not readable: {sent}") from None


def _normal(text: str) -> str | None:
    """Without repeated and trailing slashes and ``.`` segments; None for an unsafe one."""
    if _CONTROL.search(text) or "<" in text or ">" in text:
        return None
    if any("\ud800" <= c <= "\udfff" for c in text):
        return None
    if _WINDOWS:
        text = text.replace("\\", "/")
    drive = _DRIVE.match(text) if _WINDOWS else None
    rest = text[drive.end() :] if drive else text
    if not rest.startswith("/"):
        return None
    segments = [each for each in rest.split("/") if each not in ("", ".")]
    if ".." in segments:
        return None
    path = (drive[0] if drive else "") + "/" + "/".join(segments)
    return None if _is_refused(path) else path


def _is_refused(path: str) -> bool:
    lower = path.replace("\\", "/").casefold() if _WINDOWS else path.casefold()
    bare = _DRIVE.sub("", lower) if _WINDOWS else lower
    trimmed = bare.rstrip("/") or "/"
    return trimmed in _REFUSED or f"{trimmed}/".startswith(_BELOW)


def _lies_in(real: str, root: str) -> bool:
    try:
        return PurePath(real).is_relative_to(os.path.realpath(root))
    except (OSError, ValueError):
        return False
