"""The command ``stagebox``."""

from host.cli.main import main

__all__ = ["main"]
