"""S3 storage is a storage provider."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk.testing import FakeContext, StorageSuite


class TestS3Storage(StorageSuite):
    @pytest.fixture
    def provider(self, storage: S3Storage) -> S3Storage:
        assert storage.delete("nothing") is False  # loads the client library, which is not content
        return storage

    @pytest.fixture
    def reopen(self, context: FakeContext) -> Callable[[S3Storage], S3Storage]:
        def reopen(provider: S3Storage) -> S3Storage:
            provider.close()
            return S3Storage(context.settings, context.clock, context.log)

        return reopen
