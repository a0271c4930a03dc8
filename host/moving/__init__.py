"""Carrying everything from one database engine to another."""

from host.moving.transfer import Moved, carry, move, refuse_unfinished

__all__ = ["Moved", "carry", "move", "refuse_unfinished"]
