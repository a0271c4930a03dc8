"""What there is to say about this machine and process, from the standard library alone."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

__all__ = ["environment", "hardware", "runtime", "software"]

_SHOWN: Final = (
    "LOG_LEVEL",
    "LOG_FORMAT",
    "LOG_FILE",
    "HOST",
    "PORT",
    "TZ",
    "PYTHONUNBUFFERED",
    "STAGEBOX_DATA_DIR",
    "STAGEBOX_RUNTIME",
    "DEMUCS_SERVER_URL",
)
_CONTAINERS: Final = re.compile(r"docker|containerd|kubepods|libpod|podman|lxc", re.IGNORECASE)
_RUNTIMES: Final = ("docker", "bare")


def software() -> dict[str, Any]:
    """Python and operating system."""
    return {
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
        },
        "os": _os(),
    }


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The variables of the allow-list that are set."""
    return {name: env[name] for name in _SHOWN if name in env}


def runtime(env: Mapping[str, str], root: Path = Path("/")) -> str:
    """``docker`` or ``bare``: what STAGEBOX_RUNTIME says, else what it looks like."""
    told = env.get("STAGEBOX_RUNTIME", "")
    if told in _RUNTIMES:
        return told
    return "docker" if _in_container(root) else "bare"


def hardware(env: Mapping[str, str], root: Path = Path("/")) -> dict[str, Any]:
    """What cannot be found out is None, with a note."""
    processors = _text(root / "proc/cpuinfo")
    memory = _memory(_text(root / "proc/meminfo"))
    brand, physical = _brand(processors), _physical_cores(processors)
    missing = {
        "The processor's name is unknown.": brand is None,
        "The number of physical cores is unknown.": physical is None,
        "The size of the memory is unknown.": memory["total_bytes"] is None,
        "Graphics processors are not looked for.": True,
    }
    secrets = root / "var/run/secrets/kubernetes.io"
    return {
        "runtime": {
            "kind": runtime(env, root),
            "in_docker": _in_container(root),
            "in_kubernetes": "KUBERNETES_SERVICE_HOST" in env or secrets.exists(),
        },
        "os": _os(),
        "cpu": {
            "brand": brand,
            "arch": platform.machine(),
            "cores_logical": os.cpu_count(),
            "cores_physical": physical,
        },
        "memory": memory,
        "gpu": [],
        "notes": [note for note, applies in missing.items() if applies],
    }


def _os() -> dict[str, str]:
    return {
        "system": platform.system() or sys.platform,
        "release": platform.release(),
        "machine": platform.machine(),
    }


def _in_container(root: Path) -> bool:
    marked = (root / ".dockerenv").exists()
    return marked or _CONTAINERS.search(_text(root / "proc/1/cgroup")) is not None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _brand(processors: str) -> str | None:
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", processors, re.MULTILINE)
    return found[1].strip() if found else None


def _physical_cores(processors: str) -> int | None:
    cores = re.findall(
        r"^physical id\s*:\s*(\d+)(?:.*\n)(?:.+\n)*?core id\s*:\s*(\d+)", processors, re.MULTILINE
    )
    return len(set(cores)) or None


def _memory(text: str) -> dict[str, int | None]:
    def kilobytes(name: str) -> int | None:
        found = re.search(rf"^{name}:\s*(\d+) kB$", text, re.MULTILINE)
        return int(found[1]) * 1024 if found else None

    return {"total_bytes": kilobytes("MemTotal"), "available_bytes": kilobytes("MemAvailable")}
