"""Plugin data over a real database, beside a host that keeps live data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import builtin_plugins.plugin_data as plugin_data
from builtin_plugins.plugin_data.store import PluginDataStore
from plugin_sdk import NotFound, dump_json
from plugin_sdk.testing import FakeContext

FOLDER = Path(plugin_data.__file__).parent


class LiveData:
    """The part of host.data that is asked here: what plugins keep themselves."""

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str, str, str], str] = {}
        self.asked: list[str] = []

    def keep(
        self, plugin_id: str, key: str, value: Any, scope: str = "local", id: str = ""
    ) -> None:
        self.texts[plugin_id, scope, id, key] = dump_json(value)

    def get(self, plugin_id: str, scope: str, scope_id: str, key: str) -> str | None:
        self.asked.append(plugin_id)
        return self.texts.get((plugin_id, scope, scope_id, key))


class HostSettings:
    """The part of host.settings that is asked here."""

    def __init__(self) -> None:
        self.plugins: dict[str, dict[str, Any]] = {"local_api": {"exposeOnLan": False}}

    def values(self, plugin_id: str) -> Mapping[str, Any]:
        if plugin_id not in self.plugins:
            raise NotFound
        return self.plugins[plugin_id]


@pytest.fixture
def live() -> LiveData:
    return LiveData()


@pytest.fixture
def host_settings() -> HostSettings:
    return HostSettings()


@pytest.fixture
def context(live: LiveData, host_settings: HostSettings) -> Iterator[FakeContext]:
    with FakeContext.for_folder(FOLDER) as context:
        context.services.add("host.data", live)
        context.services.add("host.settings", host_settings)
        yield context


@pytest.fixture
def plugin(context: FakeContext) -> Iterator[plugin_data.PluginData]:
    plugin = context.start(plugin_data.plugin)
    yield plugin
    context.stop(plugin)


@pytest.fixture
def store(context: FakeContext, plugin: plugin_data.PluginData) -> PluginDataStore:
    store = context.services.get("plugin_data.store")
    assert isinstance(store, PluginDataStore)
    return store
