"""Errors that only this layer tells apart from the SDK's."""

from __future__ import annotations

from plugin_sdk import Invalid

__all__ = ["MissingTable"]


class MissingTable(Invalid):
    """A statement names a table that is not there; tables of the host are made lazily."""
