"""A local storage over a real database and a real folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import builtin_plugins.local_storage as local_storage
from builtin_plugins.local_storage.provider import LocalStorage
from plugin_sdk.testing import FakeContext


@pytest.fixture
def context() -> Iterator[FakeContext]:
    folder = Path(local_storage.__file__).parent
    with FakeContext.for_folder(folder) as context:
        yield context


@pytest.fixture
def storage(context: FakeContext) -> Iterator[LocalStorage]:
    plugin = context.start(local_storage.plugin)
    yield context.providers.active("storage")
    context.stop(plugin)
