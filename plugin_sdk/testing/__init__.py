"""The test kit for plugins: an honest fake context, conformance suites, a real host on demand.

    from plugin_sdk.testing import FakeContext, PluginSuite, request, signed_in

Installed, it brings pytest fixtures too: ``fake_context``, ``stagebox`` and ``no_leaks``; see
`plugin_sdk.testing.plugin`.
"""

# ruff: noqa: E402  # pytest must know of the suites before they are imported
import pytest

# So that a failed check of a suite shows the values that it compared.
pytest.register_assert_rewrite(
    "plugin_sdk.testing.auth_suite",
    "plugin_sdk.testing.database_case",
    "plugin_sdk.testing.database_rows",
    "plugin_sdk.testing.database_search",
    "plugin_sdk.testing.database_statements",
    "plugin_sdk.testing.database_tables",
    "plugin_sdk.testing.database_transactions",
    "plugin_sdk.testing.metadata_suite",
    "plugin_sdk.testing.plugin_suite",
    "plugin_sdk.testing.song_format_suite",
    "plugin_sdk.testing.storage_suite",
)

from plugin_sdk.testing.access import Decider, FakePermissions, signed_in
from plugin_sdk.testing.auth_suite import AuthSuite
from plugin_sdk.testing.clock import FakeClock
from plugin_sdk.testing.context import FakeContext, FakePaths
from plugin_sdk.testing.data import FakeData, FakeScope
from plugin_sdk.testing.database_suite import DatabaseSuite
from plugin_sdk.testing.events import FakeEvents
from plugin_sdk.testing.hosts import PluginSource, Reply, RunningHost, StartHost, installed
from plugin_sdk.testing.import_check import import_effects
from plugin_sdk.testing.jobs import FakeJobRun, FakeJobs, Progress
from plugin_sdk.testing.leaks import Leaked, leak_check
from plugin_sdk.testing.logs import FakeLog
from plugin_sdk.testing.metadata_suite import FakeProviderContext, MetadataSuite
from plugin_sdk.testing.outbound import Answer, FakeHttp, HttpRequest
from plugin_sdk.testing.plugin_suite import PluginSuite
from plugin_sdk.testing.providers import FakeHooks, FakeProviders, FakeServices
from plugin_sdk.testing.realtime import FakeConnection, FakeRealtime
from plugin_sdk.testing.requests import FakeCommandIO, FakeUpload, request
from plugin_sdk.testing.settings import FakeSettings
from plugin_sdk.testing.song_format_suite import SongFormatSuite, check_chart
from plugin_sdk.testing.song_formats import FakeSongFormat
from plugin_sdk.testing.storage import FakeBlobs, MemoryStorage
from plugin_sdk.testing.storage_suite import StorageSuite

__all__ = [
    "Answer",
    "AuthSuite",
    "DatabaseSuite",
    "Decider",
    "FakeBlobs",
    "FakeClock",
    "FakeCommandIO",
    "FakeConnection",
    "FakeContext",
    "FakeData",
    "FakeEvents",
    "FakeHooks",
    "FakeHttp",
    "FakeJobRun",
    "FakeJobs",
    "FakeLog",
    "FakePaths",
    "FakePermissions",
    "FakeProviderContext",
    "FakeProviders",
    "FakeRealtime",
    "FakeScope",
    "FakeServices",
    "FakeSettings",
    "FakeSongFormat",
    "FakeUpload",
    "HttpRequest",
    "Leaked",
    "MemoryStorage",
    "MetadataSuite",
    "PluginSource",
    "PluginSuite",
    "Progress",
    "Reply",
    "RunningHost",
    "SongFormatSuite",
    "StartHost",
    "StorageSuite",
    "check_chart",
    "import_effects",
    "installed",
    "leak_check",
    "request",
    "signed_in",
]
