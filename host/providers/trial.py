"""Trying a provider before an administrator relies on it."""

from __future__ import annotations

import inspect
import pickle
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from plugin_sdk import (
    AuthProvider,
    Clock,
    Invalid,
    Logger,
    MediaQuery,
    MetadataProvider,
    ProviderUnavailable,
    RealtimeProvider,
    SongFormat,
    SongSource,
    StageboxError,
    StorageProvider,
    UnreadableSong,
)

__all__ = ["Asker", "try_provider"]

_BYTES: Final = 64 * 1024
_TITLE: Final = "Metropolis"
"""A film, a show and a song: most services know something of that name."""


@dataclass(frozen=True, slots=True)
class Asker:
    """What a metadata provider is made with, for one question."""

    clock: Clock
    log: Logger
    stopping: bool = False

    def once(self, key: str, ask: Callable[[], Any]) -> Any:  # noqa: ARG002 (nothing is kept)
        """A trial asks each time."""
        return ask()


def try_provider(type: str, provider: Any, asker: Asker) -> str:
    """What was tried, and how long it took, as a sentence. A provider may have a method
    ``test() -> str`` of its own; those of the host's types are tried by what their type promises.

    Raises Invalid for one that cannot be tried, ProviderUnavailable for one that failed or broke
    its promise, and what it raises itself as a StageboxError."""
    own = None if inspect.isclass(provider) else getattr(provider, "test", None)
    if own is None and type not in _TRIALS:
        raise Invalid(f'Providers of type "{type}" cannot be tried without being used.')
    began = time.monotonic()
    try:
        said = str(own()) if callable(own) else _TRIALS[type](provider, asker)
    except StageboxError:
        raise
    except Exception as error:
        raise ProviderUnavailable(f"It failed: {error}") from error
    return said.replace(_TOOK, f"{round((time.monotonic() - began) * 1000)} ms")


_TOOK: Final = "{took}"


def _storage(storage: StorageProvider, _asker: Asker) -> str:
    """Keeps a blob of 64 KiB, reads it, forgets it."""
    key = f"_stagebox/trial-{secrets.token_hex(8)}"
    content = secrets.token_bytes(_BYTES)
    storage.put(key, BytesIO(content), "application/octet-stream")
    try:
        with storage.open(key) as stream:
            found = stream.read()
    finally:
        storage.delete(key)
    if found != content:
        raise ProviderUnavailable(
            f"{storage.name} gave back {len(found)} bytes that are not those that it was given."
        )
    return f"{storage.name} kept, gave back and forgot {_BYTES // 1024} KiB in {_TOOK}."


def _auth(provider: AuthProvider, _asker: Asker) -> str:
    """Asks for a token that nobody was given."""
    if provider.identify(f"trial-{secrets.token_hex(16)}") is not None:
        raise ProviderUnavailable(f"{provider.name} takes a token that it never gave anybody.")
    return f"{provider.name} refused a token that it never gave anybody, in {_TOOK}."


def _metadata(provider: type[MetadataProvider], asker: Asker) -> str:
    """Asks for a title, with no settings but the defaults."""
    made = provider({}, asker)
    try:
        if not made.is_configured():
            raise Invalid(
                f"{provider.name} lacks what it needs to be asked; it gets that from the plugin "
                "that uses it, so look at how that one does."
            )
        kind = min(provider.kinds)
        found = made.fetch(MediaQuery(kind, _TITLE))
    finally:
        made.close()
    what = "knows something" if found is not None else "knows nothing"
    return f'{provider.name} {what} of the {kind} "{_TITLE}", and said so in {_TOOK}.'


def _song_format(reader: SongFormat, _asker: Asker) -> str:
    """Sends it to another process as scans do, and has it read what is no song."""
    reader = pickle.loads(pickle.dumps(reader))  # noqa: S301 - its own bytes
    suffix = min(reader.suffixes, default="")
    with tempfile.TemporaryDirectory(prefix="stagebox-trial-") as folder:
        path = Path(folder) / f"trial{suffix}"
        path.mkdir() if not suffix else path.write_bytes(b"")
        if reader.claims(path, None if suffix else ()) is not bool(suffix):
            raise ProviderUnavailable(f"{reader.name} does not claim what it says it reads.")
        try:
            reader.metadata(SongSource(path, Path(folder)))
        except UnreadableSong:
            return f"{reader.name} refused a song that is none, in {_TOOK}."
    raise ProviderUnavailable(f"{reader.name} takes for a song what is empty.")


def _realtime(provider: RealtimeProvider, _asker: Asker) -> str:
    """Gives it a message that nobody may have."""
    provider.broadcast({"type": "host:trial"}, allow=lambda _principal: False)
    return f"{provider.name} took a message for nobody in {_TOOK}."


_TRIALS: Final[Mapping[str, Callable[[Any, Asker], str]]] = {
    "storage": _storage,
    "auth": _auth,
    "metadata": _metadata,
    "song_format": _song_format,
    "realtime": _realtime,
}
