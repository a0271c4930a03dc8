"""A host's log in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from host.logs import (
    HostLogs,
)


class Frozen:
    def time(self) -> float:
        return 1_777_636_800.25


def written(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests read what was written: on a busy machine that takes as long as it takes."""
    for method in (HostLogs.flush, HostLogs.close):
        monkeypatch.setattr(method, "__defaults__", (60.0,))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "server.log"


@pytest.fixture
def logs(file: Path):
    host = HostLogs(level="debug", file=file, clock=Frozen())  # type: ignore[arg-type]
    yield host
    host.close()
