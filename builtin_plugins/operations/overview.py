"""How the host is: one answer with what an administrator looks at first."""

from __future__ import annotations

import platform
import shutil
from collections import Counter
from typing import Any

from builtin_plugins.operations.logbook import newest
from plugin_sdk import SDK_VERSION, Clock
from plugin_sdk.management import HostInfo, PluginDataReader, PluginManagement
from plugin_sdk.operations import JobManagement

__all__ = ["overview_json"]

_LAST_ERRORS = 10


def overview_json(
    info: HostInfo,
    plugins: PluginManagement,
    data: PluginDataReader,
    jobs: JobManagement,
    clock: Clock,
) -> dict[str, Any]:
    """Sizes in bytes. ``calls``, ``failures`` and ``seconds`` of plugins are of the process that
    answers, since their start; ``otherProcesses`` counts those that serve beside it."""
    disk = shutil.disk_usage(info.data_dir)
    entries = plugins.entries()
    sizes = sorted(((data.sizes(entry.id)["bytes"], entry.id) for entry in entries), reverse=True)
    kept = [(plugin_id, size) for size, plugin_id in sizes if size]
    host = data.sizes("host")["bytes"]
    return {
        "version": info.version,
        "sdk": SDK_VERSION,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "startedAt": clock.iso(info.started_at),
        "uptimeSeconds": max(0, (clock.ms() - info.started_at) // 1000),
        "otherProcesses": info.others(),
        "listeners": list(info.listeners()),
        "exposed": info.exposed(),
        "websocketUrl": info.websocket_url(),
        "disk": {"free": disk.free, "total": disk.total},
        "database": {
            "bytes": host + sum(size for _, size in kept),
            "host": host,
            "plugins": [{"plugin": plugin_id, "bytes": size} for plugin_id, size in kept],
        },
        "plugins": dict(Counter(entry.state for entry in entries)),
        "load": [
            {
                "plugin": entry.id,
                "calls": entry.calls,
                "failures": entry.failures,
                "seconds": round(entry.seconds, 3),
            }
            for entry in entries
            if entry.state == "active"
        ],
        "jobs": {
            state: len(jobs.entries(state=state, limit=1000)) for state in ("queued", "running")
        },
        "lastErrors": newest(info, {"level": "error", "limit": _LAST_ERRORS}),
    }
