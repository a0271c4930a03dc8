"""The plugin twice, in a fake context and in a host: what tests ask of it must come out alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.testing import TestHost, open_database
from plugin_sdk import (
    Context,
    Permission,
)
from plugin_sdk.testing import FakeContext
from tests.sdk.testing.honesty.boards import CAPABILITIES, PERMISSIONS, SETTINGS, Board


@pytest.fixture(params=["fake", "host"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Board]:
    if request.param == "host":
        with TestHost(tmp_path, plugins=[Board], settings={"board": {"maxSounds": 5}}) as host:
            found = host.plugin("board")
            assert isinstance(found, Board)
            yield found
    else:
        with FakeContext(
            "board",
            settings={"maxSounds": 5},
            settings_schema=SETTINGS,
            capabilities=CAPABILITIES,
            permissions=[Permission(**each, plugin_id="board") for each in PERMISSIONS],
            database=open_database,
        ) as context:
            yield context.start(Board)


@pytest.fixture
def context(board: Board) -> Context:
    return board.context
