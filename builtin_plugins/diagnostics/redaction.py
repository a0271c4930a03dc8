"""Taking out of texts what is nobody's business (plugin contract, 8, "Redaction")."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, Protocol

from builtin_plugins.diagnostics.sensitive import REDACTED
from builtin_plugins.diagnostics.songnames import SongNames

__all__ = ["COUNTS", "AsItIs", "Redaction", "Redactor"]

COUNTS: Final = ("paths_replaced", "ips_replaced", "song_names_replaced", "secrets_replaced")

_NAMES: Final = r"token|key|api_key|apikey|secret|password|pin|phrase|recoveryPhrase|auth|session"
_SECRETS: Final = re.compile(
    r"(?P<bearer>\bbearer\s+)[^\s\"'\\,;<>]+"
    rf"|(?P<equals>(?<![\w-])(?:{_NAMES})=)[^\s&\"'#;\\<>]+"
    # "k": "v" in JSON text, or in JSON text that is a text in JSON.
    # Backslashes are counted: a text of nothing else must not take the square of its length.
    rf"|(?P<json>(?P<quote>\\{{0,15}}\")(?:{_NAMES})(?P=quote)\s*:\s*)"
    r"(?:(?P<open>\\{1,15}\").*?(?P=open)|\"(?:[^\"\\]|\\.)*\"|[^\s,\"\\\[\]{}]+)"
    r"|\blocal_[0-9a-f]{40}\b",
    re.IGNORECASE,
)
_IPV4: Final = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,}[0-9A-Fa-f:.]*(?!\w)")
_SHOWN_ADDRESSES: Final = frozenset({"127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104

Count = Literal["paths_replaced", "ips_replaced", "song_names_replaced", "secrets_replaced"]


class Redaction(Protocol):
    """What happens to the texts of a bundle."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How often something was replaced, by the names of `COUNTS`."""
        ...

    def text(self, text: str) -> str: ...
    def value(self, value: Any) -> Any:
        """Of a JSON value, all texts but the keys."""
        ...


class AsItIs:
    """For ``redact: false``."""

    def __init__(self) -> None:
        self.counts = Counter(dict.fromkeys(COUNTS, 0))

    def text(self, text: str) -> str:
        return text

    def value(self, value: Any) -> Any:
        return value


class Redactor:
    """Of one bundle: equal things get equal marks in it, and other ones in the next.

    ``folders`` are pairs of a mark and a path (``("<DATA_DIR>", "/srv/stagebox")``); ``songs``
    are file names of the library.
    """

    def __init__(self, folders: Iterable[tuple[str, str]] = (), songs: Iterable[str] = ()) -> None:
        self.counts = Counter(dict.fromkeys(COUNTS, 0))
        self._salt = secrets.token_bytes(16)
        self._folders = _FolderMarks(folders)
        self._songs = SongNames(songs)

    def text(self, text: str) -> str:
        text = _SECRETS.sub(self._secret, text)
        text = self._folders.replace(text, lambda: self._count("paths_replaced"))
        text = self._songs.replace(text, self._song)
        text = _IPV6.sub(self._address, text)
        return _IPV4.sub(self._address, text)

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def _secret(self, found: re.Match[str]) -> str:
        self._count("secrets_replaced")
        if found["json"] is not None:
            quote = found["quote"]
            return f"{found['json']}{quote}{REDACTED}{quote}"
        return (found["bearer"] or found["equals"] or "") + REDACTED

    def _song(self, name: str) -> str:
        self._count("song_names_replaced")
        return f"<song:{self._hash(name)[:8]}>"

    def _address(self, found: re.Match[str]) -> str:
        text = found.group()
        # The end of a sentence or a label is no part of an address.
        for end in (text, text.rstrip(":."), text[:-1]):
            if end in _SHOWN_ADDRESSES:
                return text
            if _is_address(end):
                self._count("ips_replaced")
                return f"<ip:{self._hash(end.lower())[:6]}>{text[len(end) :]}"
        return text

    def _hash(self, text: str) -> str:
        data = self._salt + text.encode(errors="surrogatepass")
        return hashlib.sha256(data).hexdigest()

    def _count(self, name: Count) -> None:
        self.counts[name] += 1


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class _FolderMarks:
    """Folders in the place of which a mark is put, the longest first."""

    def __init__(self, folders: Iterable[tuple[str, str]]) -> None:
        marks: dict[str, str] = {}
        for mark, path in folders:
            plain = path.rstrip("/\\")
            if len(plain) > 1:  # a root would match everywhere
                marks.setdefault(plain, mark)
                marks.setdefault(plain.replace("\\", "\\\\"), mark)  # as JSON writes it
        self._marks = marks
        longest = sorted(marks, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, longest))
        self._pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)") if longest else None

    def replace(self, text: str, count: Callable[[], object]) -> str:
        def mark(found: re.Match[str]) -> str:
            count()
            return self._marks[found.group()]

        return text if self._pattern is None else self._pattern.sub(mark, text)
