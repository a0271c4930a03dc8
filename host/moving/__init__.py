"""Carrying everything from one database engine to another."""

from host.moving.transfer import Moved, move, refuse_unfinished

__all__ = ["Moved", "move", "refuse_unfinished"]
