"""Secrets inside settings: what the host shows masked (plugin contract, 10.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["with_masks", "without_secrets"]

_MASK: Final = "********"


def without_secrets(value: Any, shown: Any) -> Any:
    """``value`` without the members that are masked in ``shown``, at every depth."""
    if isinstance(value, Mapping) and isinstance(shown, Mapping):
        return {
            name: without_secrets(item, shown.get(name))
            for name, item in value.items()
            if not _is_secret(item, shown.get(name))
        }
    if isinstance(value, list) and isinstance(shown, list) and len(value) == len(shown):
        pairs = zip(value, shown, strict=True)
        return [without_secrets(*pair) for pair in pairs if not _is_secret(*pair)]
    return value


def with_masks(value: Mapping[str, Any], stored: Any, shown: Any) -> dict[str, Any]:
    """``value`` and a mask, which means "leave it", for each secret of objects that it does not
    mention. Secrets inside lists cannot be told apart and have to be given anew."""
    full = dict(value)
    for name, item in stored.items():
        if name not in full:
            if _is_secret(item, shown.get(name)):
                full[name] = _MASK
        elif all(isinstance(each, Mapping) for each in (full[name], item, shown.get(name))):
            full[name] = with_masks(full[name], item, shown[name])
    return full


def _is_secret(value: Any, shown: Any) -> bool:
    return bool(shown == _MASK and value != _MASK)
