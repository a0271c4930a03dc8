"""``stagebox plugin pack``: a wheel of a project, or a ZIP of a folder, that can be installed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from host.authoring.sources import IGNORED, PluginSource
from host.plugins.manifests import MANIFEST_NAME, check_manifest
from host.plugins.packages import staged
from plugin_sdk import Invalid, Manifest, parse_json

__all__ = ["pack"]

_SECONDS: Final = 300
_LAST_LINES: Final = 15


def pack(source: PluginSource, into: Path) -> Path:
    """Makes the package in the folder ``into``, and looks into it as an installation would.

    Raises Invalid for a plugin that cannot be packed, or a package that lacks the manifest."""
    if source.folder is None:
        raise Invalid(
            "A plugin of one file has no manifest, so it cannot be packed: put it into a folder "
            f"as __init__.py, beside a {MANIFEST_NAME}."
        )
    manifest = _manifest(source.folder)
    into.mkdir(parents=True, exist_ok=True)
    if source.project is not None and (source.project / "pyproject.toml").is_file():
        package = _wheel(source.project, into)
    else:
        package = _zip(source.folder, into / f"{manifest.id}-{manifest.version}.zip")
    _look_into(package, manifest)
    return package


def _manifest(folder: Path) -> Manifest:
    document = parse_json((folder / MANIFEST_NAME).read_bytes(), unique_keys=True)
    return check_manifest(document, bundled=False, folder=folder)


def _wheel(project: Path, into: Path) -> Path:
    """By the project's own build backend; pip gets that if need be."""
    with tempfile.TemporaryDirectory(dir=into, prefix=".packing-") as aside:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet",
                   "--no-deps", "--wheel-dir", aside, str(project)]  # fmt: skip
        done = subprocess.run(  # noqa: S603  # our own interpreter, the author's own project
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        made = sorted(Path(aside).glob("*.whl"))
        if done.returncode or len(made) != 1:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_LAST_LINES:])
            raise Invalid(f"The wheel could not be built. pip said:\n{said}")
        return made[0].replace(into / made[0].name)


def _zip(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.is_file() and not hidden and not IGNORED.intersection(relative.parts):
                archive.write(path, str(relative))
    return target


def _look_into(package: Path, manifest: Manifest) -> None:
    try:
        with tempfile.TemporaryDirectory() as folders, staged(package, Path(folders)) as folder:
            packed = _manifest(folder)
            if not (folder / "__init__.py").is_file():
                raise Invalid(f"{package.name} has no __init__.py beside its {MANIFEST_NAME}.")
    except Invalid as error:
        raise Invalid(
            f"{package.name} was made, but could not be installed: {error.message} Look at the "
            "packages that pyproject.toml names.",
            details=error.details,
        ) from None
    if (packed.id, packed.version) != (manifest.id, manifest.version):
        raise Invalid(f"{package.name} holds {packed.id} {packed.version}, not {manifest.id}.")
