"""Local storage is a storage provider."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from builtin_plugins.local_storage import index
from builtin_plugins.local_storage.provider import LocalStorage
from plugin_sdk.testing import FakeContext, StorageSuite


class TestLocalStorage(StorageSuite):
    many = 300

    @pytest.fixture
    def provider(self, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> LocalStorage:
        monkeypatch.setattr(index, "_PAGE", 100)  # as many pages as of many more with large ones
        return storage

    @pytest.fixture
    def reopen(self, context: FakeContext) -> Callable[[LocalStorage], LocalStorage]:
        def reopen(provider: LocalStorage) -> LocalStorage:
            provider.close()
            again = LocalStorage(context.paths.data, context.db, context.clock, context.log)
            again.recover()
            return again

        return reopen
