"""A bundle in the making, and what happens to everything that goes into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_plugins.diagnostics.bundle import Bundle
from builtin_plugins.diagnostics.redaction import Redaction
from builtin_plugins.diagnostics.sensitive import SecretMembers

__all__ = ["Draft"]


class Draft:
    """``bundle`` takes entries and notes, ``redaction`` is the one of this bundle."""

    def __init__(self, redaction: Redaction) -> None:
        self.bundle = Bundle()
        self.redaction = redaction
        self._members = SecretMembers()

    def note(self, text: str, reason: str = "") -> None:
        """A line for people about something that is missing or was cut; the reason is somebody
        else's text."""
        self.bundle.notes.append(f"{text}: {self.redaction.text(reason)}" if reason else text)

    def clean(self, sent: Any) -> Any:
        """A JSON value as it may be shown: without sensitive members in any case."""
        return self.redaction.value(self._members.masked(sent))

    def finished(self, manifest: Mapping[str, Any]) -> bytes:
        counts = dict(self.redaction.counts)
        counts["secrets_replaced"] += self._members.count
        return self.bundle.finished({**manifest, "redactions": counts})
