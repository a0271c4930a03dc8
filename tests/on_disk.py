"""A temporary folder that may be scanned for films.

Temporary files of tests lie in memory, below ``/dev``: the media contract (5.6) refuses what is
there. Where folders are scanned: ``tmp_path = on_disk.tmp_path``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

__all__ = ["tmp_path"]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In place of pytest's."""
    with TemporaryDirectory(prefix="stagebox-", dir=Path("/var/tmp").resolve()) as folder:
        yield Path(folder)
