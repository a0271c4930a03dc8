"""What diagnostics are about."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def bundled(bundled: Any) -> Any:
    """Those whose paths, settings and states it tells of."""
    return bundled and {*bundled, "accounts", "media", "plugin_admin", "realtime"}
