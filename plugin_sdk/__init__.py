"""Everything that a Stagebox plugin imports.

The smallest plugin::

    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": "world"}
"""

import typing

from plugin_sdk.access import (
    ADMIN,
    ANONYMOUS,
    CORE_PERMISSIONS,
    Access,
    Permission,
    Permissions,
    Principal,
)
from plugin_sdk.auth import AuthProvider, Login
from plugin_sdk.blobs import Blob, BlobInfo, Blobs, StorageProvider, check_blob_key
from plugin_sdk.commands import Argument, Command, CommandIO, command
from plugin_sdk.context import Clock, Context, HookResult, Hooks, Logger, Paths, Settings
from plugin_sdk.data import MAX_VALUE_BYTES, Data, DataScope, ScopeKind
from plugin_sdk.database import (
    Column,
    ColumnType,
    Database,
    ForeignKey,
    Migration,
    Row,
    Table,
    migration,
)
from plugin_sdk.deprecation import Deprecation, deprecated
from plugin_sdk.errors import (
    CapabilityMissing,
    Conflict,
    DatabaseUnavailable,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    MissingParameter,
    NotFound,
    Problem,
    ProviderError,
    ProviderUnavailable,
    RangeNotSatisfiable,
    RateLimited,
    StageboxError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    UpgradeRequired,
    UpstreamFailed,
)
from plugin_sdk.events import Event, Events, Subscription, event_handler
from plugin_sdk.filters import RequestFilter, Verdict
from plugin_sdk.hookspecs import HOOK_NAMES, hookimpl, hookspec
from plugin_sdk.http import (
    FileBody,
    Form,
    Headers,
    Query,
    Request,
    Response,
    StreamBody,
    TextBody,
    Upload,
)
from plugin_sdk.jobs import Job, JobInfo, JobRun, Jobs, JobState, job
from plugin_sdk.manifest import CAPABILITIES, SDK_VERSION, Manifest, manifest_schema
from plugin_sdk.metadata import (
    EpisodeMetadata,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    Person,
    ProviderContext,
    SeasonMetadata,
)
from plugin_sdk.outbound import Http, HttpReply, HttpStream
from plugin_sdk.pages import PANEL, Page, Panel
from plugin_sdk.plugin import Plugin
from plugin_sdk.providers import (
    HOST_PROVIDER_TYPES,
    Provider,
    ProviderEntry,
    Providers,
    Services,
)
from plugin_sdk.realtime import Connection, Realtime, RealtimeProvider
from plugin_sdk.routes import (
    ANY_TYPE,
    JSON,
    MULTIPART,
    Method,
    Route,
    Schema,
    WebSocketRoute,
    route,
    websocket,
)
from plugin_sdk.song_charts import SongChart, arrangement_rank, tuning_name, tuning_sort_key
from plugin_sdk.song_formats import (
    SongArrangement,
    SongCover,
    SongFormat,
    SongMetadata,
    SongSource,
    SongStem,
    SongStream,
    UnreadableSong,
    song_signature,
)
from plugin_sdk.strict_json import check_json, dump_json, parse_json

if typing.TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> typing.Any:
        """Names on their way out; type checkers do not see it, so they still find misspellings."""
        if name == "__version__":
            deprecated(
                "plugin_sdk.__version__", since="1.0", removed_in="2.0", instead="SDK_VERSION"
            )
            return SDK_VERSION
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ADMIN",
    "ANONYMOUS",
    "ANY_TYPE",
    "CAPABILITIES",
    "CORE_PERMISSIONS",
    "HOOK_NAMES",
    "HOST_PROVIDER_TYPES",
    "JSON",
    "MAX_VALUE_BYTES",
    "MULTIPART",
    "PANEL",
    "SDK_VERSION",
    "Access",
    "Argument",
    "AuthProvider",
    "Blob",
    "BlobInfo",
    "Blobs",
    "CapabilityMissing",
    "Clock",
    "Column",
    "ColumnType",
    "Command",
    "CommandIO",
    "Conflict",
    "Connection",
    "Context",
    "Data",
    "DataScope",
    "Database",
    "DatabaseUnavailable",
    "Deprecation",
    "EpisodeMetadata",
    "Event",
    "Events",
    "FileBody",
    "Forbidden",
    "ForeignKey",
    "Form",
    "Headers",
    "HookResult",
    "Hooks",
    "Http",
    "HttpReply",
    "HttpStream",
    "Invalid",
    "Job",
    "JobInfo",
    "JobRun",
    "JobState",
    "Jobs",
    "Logger",
    "Login",
    "Manifest",
    "MediaMetadata",
    "MediaQuery",
    "MetadataProvider",
    "Method",
    "MethodNotAllowed",
    "Migration",
    "MissingParameter",
    "NotFound",
    "Page",
    "Panel",
    "Paths",
    "Permission",
    "Permissions",
    "Person",
    "Plugin",
    "Principal",
    "Problem",
    "Provider",
    "ProviderContext",
    "ProviderEntry",
    "ProviderError",
    "ProviderUnavailable",
    "Providers",
    "Query",
    "RangeNotSatisfiable",
    "RateLimited",
    "Realtime",
    "RealtimeProvider",
    "Request",
    "RequestFilter",
    "Response",
    "Route",
    "Row",
    "Schema",
    "ScopeKind",
    "SeasonMetadata",
    "Services",
    "Settings",
    "SongArrangement",
    "SongChart",
    "SongCover",
    "SongFormat",
    "SongMetadata",
    "SongSource",
    "SongStem",
    "SongStream",
    "StageboxError",
    "StorageProvider",
    "StreamBody",
    "Subscription",
    "Table",
    "TextBody",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnreadableSong",
    "UnsupportedMediaType",
    "UpgradeRequired",
    "Upload",
    "UpstreamFailed",
    "Verdict",
    "WebSocketRoute",
    "arrangement_rank",
    "check_blob_key",
    "check_json",
    "command",
    "deprecated",
    "dump_json",
    "event_handler",
    "hookimpl",
    "hookspec",
    "job",
    "manifest_schema",
    "migration",
    "parse_json",
    "route",
    "song_signature",
    "tuning_name",
    "tuning_sort_key",
    "websocket",
]
