"""Fixtures of a suite that its subclass has to give."""

from __future__ import annotations

__all__ = ["missing"]


def missing(name: str) -> NotImplementedError:
    """What such a fixture raises until then. It cannot be an abstract method: pytest makes an
    instance for each test, and that would fail before anybody could be told what is missing."""
    return NotImplementedError(f"Give your suite a fixture named {name}.")
