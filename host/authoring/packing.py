"""``stagebox plugin pack``: a wheel of a project, or a ZIP of a folder, that can be installed."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from host.authoring.sources import IGNORED, PluginSource
from host.plugins.files import files_below
from host.plugins.manifests import MANIFEST_NAME, check_manifest
from host.plugins.packages import staged
from host.plugins.pip import last_words, run_pip
from plugin_sdk import Invalid, Manifest, parse_json

__all__ = ["pack"]


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
        done = run_pip("wheel", "--quiet", "--no-deps", "--wheel-dir", aside, "--", str(project))
        made = sorted(Path(aside).glob("*.whl"))
        if done.returncode or len(made) != 1:
            raise Invalid(f"The wheel could not be built. pip said:\n{last_words(done)}")
        return made[0].replace(into / made[0].name)


def _zip(folder: Path, target: Path) -> Path:
    """Files older than ZIP's calendar, as reproducible builds make them, count as of 1980."""
    part = target.with_name(f".{target.name}.part")  # hidden, so not part of itself
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path in files_below(folder, IGNORED):
                relative = path.relative_to(folder)
                hidden = any(name.startswith(".") for name in relative.parts)
                if path.is_file() and not hidden and path.resolve() != target.resolve():
                    archive.write(path, str(relative))
        return part.replace(target)
    finally:
        part.unlink(missing_ok=True)


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
