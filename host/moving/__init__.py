"""Carrying everything from one database engine to another."""

from host.db.marks import refuse_unfinished
from host.moving.transfer import Moved, carry, move

__all__ = ["Moved", "carry", "move", "refuse_unfinished"]
