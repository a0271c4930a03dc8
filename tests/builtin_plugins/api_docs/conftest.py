"""One host for a module's pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from host.testing import TestHost


@pytest.fixture(scope="module")
def bundled() -> None:
    """The documents are about all routes together."""


@pytest.fixture(scope="module")
def _pages_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    with TestHost(tmp_path_factory.mktemp("docs") / "data") as host:
        yield host


@pytest.fixture
def pages_host(_pages_host: TestHost) -> Iterator[TestHost]:
    """The module's host; settings are put back afterwards."""
    yield _pages_host
    defaults: dict[str, Any] = {"scalar": None, "docusaurus": None, "docusaurusDir": None}
    _pages_host.host.settings.update("api_docs", defaults)
