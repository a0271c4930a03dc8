"""Which build this is: read from the installed distribution, and from what a packager noted."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping
from typing import Final

__all__ = ["build_info", "version"]

_SHA: Final = re.compile(r"[0-9a-f]{7,40}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def version() -> str:
    """The version of the distribution; ``0.0.0`` when run from a tree that is not installed."""
    try:
        return importlib.metadata.version("stagebox")
    except importlib.metadata.PackageNotFoundError:
        return "0.0.0"


def build_info(env: Mapping[str, str]) -> dict[str, str | None]:
    """``gitSha``, ``buildDate`` (or ``unknown``), ``sourceUrl``, ``licenseUrl`` (or None), from
    ``STAGEBOX_GIT_SHA``, ``STAGEBOX_BUILD_DATE``, ``STAGEBOX_SOURCE_URL``,
    ``STAGEBOX_LICENSE_URL``."""
    sha = env.get("STAGEBOX_GIT_SHA", "")
    date = env.get("STAGEBOX_BUILD_DATE", "")
    return {
        "gitSha": sha if _SHA.fullmatch(sha) else "unknown",
        "buildDate": date if _DATE.fullmatch(date) else "unknown",
        "sourceUrl": env.get("STAGEBOX_SOURCE_URL") or None,
        "licenseUrl": env.get("STAGEBOX_LICENSE_URL") or None,
    }
