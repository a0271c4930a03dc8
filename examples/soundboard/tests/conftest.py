from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundboard
from soundboard import Soundboard

from plugin_sdk.testing import FakeContext


@pytest.fixture
def context() -> Iterator[FakeContext]:
    with FakeContext.for_folder(Path(soundboard.__file__).parent) as context:
        yield context


@pytest.fixture
def board(context: FakeContext) -> Soundboard:
    return context.start(Soundboard)
