"""Hosts with everybody who has a part in the local REST API."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def bundled(bundled: Any) -> Any:
    return bundled and {*bundled, "api_docs", "plugin_data", "rooms", "signaling_login"}
