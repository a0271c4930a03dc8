"""Whoever may run commands on the data: the audit trail calls them the operator."""

from __future__ import annotations

from typing import Final

from plugin_sdk import Principal

__all__ = ["OPERATOR"]

OPERATOR: Final = Principal(id="cli", name="Operator at the command line", provider="cli")
