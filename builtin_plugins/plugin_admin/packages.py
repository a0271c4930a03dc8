"""Plugins that are sent over HTTP: received into a file, and shown before they are installed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

from plugin_sdk import Form
from plugin_sdk.management import InstallPlan

__all__ = ["MAX_PACKAGE_BYTES", "plan_json", "received"]

MAX_PACKAGE_BYTES: Final = 64 * 1024 * 1024


def received(form: Form, folder: Path) -> Path:
    """The file part ``file`` as a file; raises Invalid when there is not exactly one. The name
    that the client gave it plays no part."""
    package = folder / "plugin.zip"
    with package.open("wb") as target:
        shutil.copyfileobj(form.file("file").file, target)
    return package


def plan_json(plan: InstallPlan) -> dict[str, Any]:
    """What an installation would bring, for a person to confirm."""
    manifest = plan.manifest
    return {
        "id": manifest.id,
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "replaces": plan.replaces,
        "requires": list(manifest.requires),
        "capabilities": list(manifest.capabilities),
        "permissions": [
            {"name": each.name, "description": each.description} for each in manifest.permissions
        ],
        "addedCapabilities": list(plan.added_capabilities),
        "addedPermissions": [each.name for each in plan.added_permissions],
        "packages": list(plan.packages),
        "problems": list(plan.problems),
    }
