"""Names of profiles and groups: how they are compared (plugin contract, 2.5)."""

from __future__ import annotations

from unicodedata import normalize

__all__ = ["name_key"]


def name_key(name: str) -> str:
    """What two spellings of one name have in common: trimmed, NFC, case folded, NFC.

    Folding can undo a composition, therefore the second NFC."""
    return normalize("NFC", normalize("NFC", name.strip()).casefold())
