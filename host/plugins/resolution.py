"""Python packages that a plugin brings along: resolved by pip, and changed all or not at all."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import shutil
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from host.plugins.discovery import BUNDLED_DISTRIBUTION
from host.plugins.environment import Package, Packages, applying, conflicts
from host.plugins.pip import last_words, run_pip
from plugin_sdk import Conflict, Invalid

__all__ = ["Change", "fetched", "resolve", "uninstall"]


@dataclass(frozen=True, slots=True)
class Change:
    """What pip would install, in its order. ``sources`` says for each what to ask pip for."""

    packages: tuple[Package, ...] = ()
    sources: tuple[str, ...] = ()

    def lines(self, present: Packages) -> Iterator[str]:
        """For people: ``httpx 0.28.1 (instead of 0.27.0)``."""
        for each in self.packages:
            before = present.find(each.name)
            instead = f" (instead of {before.version})" if before else ""
            yield f"{each.name} {each.version}{instead}"


def resolve(
    newcomer: str,
    wanted: Sequence[str],
    needs: Mapping[str, Sequence[Requirement]],
    present: Packages,
    *,
    upgrade: bool = False,
    named: Callable[[Change], str] | None = None,
) -> Change:
    """What has to be installed so that ``wanted`` is there and everybody else's needs stay met.

    pip looks for it where it is configured to; nothing is changed. Raises Conflict (code
    DEPENDENCY_CONFLICT) that names both sides, Invalid with pip's own words when it finds nothing
    at all. ``upgrade``: the newest that fits. ``named`` finds what the plugin is called that comes
    with such a change."""
    others = {owner: each for owner, each in needs.items() if owner != newcomer}
    host = present.find(BUNDLED_DISTRIBUTION)
    pinned = [f"{BUNDLED_DISTRIBUTION}=={host.version}"] if host else []
    held = [
        f"{edge.requirement.name}{edge.requirement.specifier}"
        for requirements in others.values()
        for edge in present.edges(requirements)
        if edge.met and edge.requirement.specifier and edge.name != BUNDLED_DISTRIBUTION
    ]
    found, said = _dry_run(wanted, [*pinned, *held], upgrade)
    if found is not None:
        return found
    alone, why = _dry_run(wanted, pinned, upgrade)
    if alone is None:
        raise Invalid(f"{newcomer} cannot be installed here. pip said:\n{why}")
    after = present.after(alone.packages)
    title = named(alone) if named else newcomer
    own = {title: needs.get(newcomer) or _needs_of(newcomer, alone) or list(applying(wanted))}
    sentences = conflicts(title, {**others, **own}, present, after)
    raise Conflict(
        " ".join(sentences)
        or f"{newcomer} does not go together with what is installed. pip said:\n{said}",
        code="DEPENDENCY_CONFLICT",
    )


def _needs_of(newcomer: str, change: Change) -> list[Requirement]:
    """Of a plugin that comes as a package of this name: what that requires itself."""
    name = canonicalize_name(newcomer)
    own = [each for each in change.packages if canonicalize_name(each.name) == name]
    return [
        requirement
        for each in own
        for requirement in each.requires
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    ]


def _dry_run(
    wanted: Sequence[str], constraints: Iterable[str], upgrade: bool
) -> tuple[Change | None, str]:
    """The change, or None and what pip said."""
    with tempfile.TemporaryDirectory(prefix="stagebox-") as folder:
        constrained, report = Path(folder, "constraints.txt"), Path(folder, "report.json")
        constrained.write_text("\n".join(sorted(set(constraints))) + "\n", encoding="utf-8")
        done = run_pip("install", "--dry-run", "--quiet", "--report", str(report),
                    "--constraint", str(constrained),
                    *(["--upgrade"] if upgrade else []), "--", *wanted)  # fmt: skip
        if done.returncode:
            return None, last_words(done)
        document = json.loads(report.read_text(encoding="utf-8"))
    return _change(document["install"]), ""


def _change(items: Sequence[Mapping[str, Any]]) -> Change:
    packages, sources = [], []
    for item in items:
        metadata = item["metadata"]
        name, version = metadata["name"], metadata["version"]
        requires = tuple(applying(metadata.get("requires_dist") or (), extras=None))
        packages.append(Package(name, version, requires))
        direct = f"{name} @ {item['download_info']['url']}"
        sources.append(direct if item.get("is_direct") else f"{name}=={version}")
    return Change(tuple(packages), tuple(sources))


@contextmanager
def fetched(change: Change) -> Iterator[Fetched]:
    """The packages as wheels, built where need be: what can fail for want of a network or a
    compiler has not changed anything then. Raises Invalid with pip's words."""
    with tempfile.TemporaryDirectory(prefix="stagebox-") as folder:
        if change.packages:
            done = run_pip("wheel", "--quiet", "--no-deps", "--wheel-dir", folder,
                        "--", *change.sources)  # fmt: skip
            if done.returncode:
                raise Invalid(f"The packages could not be fetched. pip said:\n{last_words(done)}")
        wheels = {
            str(parse_wheel_filename(path.name)[0]): path for path in Path(folder).glob("*.whl")
        }
        yield Fetched(change, wheels)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Wheels by canonical name, ready to be installed."""

    change: Change
    wheels: Mapping[str, Path]

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Inside, the packages are installed. When that fails, or what is done inside raises, the
        environment is what it was. Raises Invalid with pip's words."""
        if not self.wheels:
            yield
            return
        with _restoring(self.wheels):
            done = run_pip("install", "--quiet", "--no-deps", "--no-index", "--",
                        *(str(path) for path in self.wheels.values()))  # fmt: skip
            if done.returncode:
                raise Invalid(f"Nothing was installed. pip said:\n{last_words(done)}")
            importlib.invalidate_caches()
            yield


@contextmanager
def _restoring(wheels: Mapping[str, Path]) -> Iterator[None]:
    """Puts the files of these packages back if what is inside fails: pip itself undoes a package
    that fails, but not those that it installed before."""
    with tempfile.TemporaryDirectory(prefix="stagebox-") as folder:
        kept = {
            path: Path(folder, str(number)) for number, path in enumerate(sorted(_files_of(wheels)))
        }
        for path, copy in kept.items():
            shutil.copy2(path, copy)
        try:
            yield
        except BaseException:
            importlib.invalidate_caches()
            for path in _files_of(wheels) - set(kept):
                path.unlink(missing_ok=True)
                _remove_empty(path.parent)
            for path, copy in kept.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(copy, path)
            importlib.invalidate_caches()
            raise


def _files_of(wheels: Mapping[str, Path]) -> set[Path]:
    """The files of the packages as they are installed now, and what is there of the new ones."""
    found: set[Path] = set()
    for name in wheels:
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        files = [Path(str(package.locate_file(each))) for each in package.files or ()]
        found.update(Path(os.path.normpath(each)) for each in files)
    roots = {Path(sysconfig.get_path(each)) for each in ("purelib", "platlib")}
    for path in wheels.values():
        with zipfile.ZipFile(path) as archive:
            found.update(root / each for each in archive.namelist() for root in roots)
    return {path for path in found if path.is_file()}


def _remove_empty(folder: Path) -> None:
    while folder.name not in ("site-packages", "dist-packages", "bin") and folder.is_dir():
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        if any(folder.iterdir()):
            return
        folder.rmdir()
        folder = folder.parent


def uninstall(distribution: str) -> None:
    """Removes a package, not what it required. Raises Invalid with pip's words."""
    done = run_pip("uninstall", "--quiet", "--yes", "--", distribution)
    importlib.invalidate_caches()
    if done.returncode:
        raise Invalid(f"{distribution} could not be uninstalled. pip said:\n{last_words(done)}")
