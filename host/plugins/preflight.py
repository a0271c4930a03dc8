"""Before an upgrade of the host: which installed plugins will break, and by what it is known."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from host.plugins.discovery import BUNDLED_DISTRIBUTION, Found
from host.plugins.environment import Packages, needs_of_plugins
from host.plugins.manifests import requirement_of, sdk_fits
from host.plugins.ranges import have_one_in_common
from host.plugins.register import Register
from host.plugins.releases import Release
from host.plugins.usages import usages_of
from plugin_sdk import HOOK_NAMES, Manifest
from plugin_sdk.management import DeprecatedUse

__all__ = ["Concern", "Forecast", "forecasts"]

Severity = Literal["breaks", "warns", "unknown"]
_ORDER: Final[Sequence[Severity]] = ("breaks", "unknown", "warns")


@dataclass(frozen=True, slots=True)
class Concern:
    """Something to know about a plugin before the upgrade."""

    code: str
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of one plugin; nothing of concern means that it works on."""

    plugin_id: str
    version: str
    source: str
    concerns: tuple[Concern, ...]

    @property
    def verdict(self) -> str:
        """The worst of its concerns, or ``works``."""
        found = {each.severity for each in self.concerns}
        return next((each for each in _ORDER if each in found), "works")

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.plugin_id,
            "version": self.version,
            "source": self.source,
            "verdict": self.verdict,
            "concerns": [
                {"code": each.code, "severity": each.severity, "message": each.message}
                for each in self.concerns
            ],
        }


def forecasts(
    register: Register, release: Release, used: Sequence[DeprecatedUse]
) -> list[Forecast]:
    """Of all plugins that do not come with the host, by id; ``used`` are the deprecated calls
    that were seen. Nothing of a plugin is run."""
    found = []
    present = Packages.present()
    needs = needs_of_plugins(register, present)
    for plugin_id in register.ids():
        record = register.record(plugin_id)
        if record.found.bundled:
            continue
        manifest = record.manifest
        concerns = list(_of_package(record.found, release.version))
        concerns += _of_needs(needs.get(plugin_id, ()), release, present)
        if manifest is None:
            message = record.fault.message if record.fault else "its manifest cannot be read"
            text = f"It cannot be judged, and does not run now either: {message}"
            concerns.append(Concern("UNREADABLE", "unknown", text))
        else:
            own = [each for each in used if each.plugin_id == plugin_id]
            concerns += _of_manifest(manifest, release)
            concerns += _of_code(record.found, release)
            concerns += _of_use(manifest.version, own, release)
        version = manifest.version if manifest else record.found.version
        found.append(Forecast(plugin_id, version, record.found.source, tuple(concerns)))
    return found


def _of_package(found: Found, version: str) -> Iterator[Concern]:
    if found.source != "entry-point":
        return
    try:
        needs = importlib.metadata.distribution(found.distribution).requires or []
    except importlib.metadata.PackageNotFoundError:
        return
    for text in needs:
        try:
            need = Requirement(text)
        except InvalidRequirement:
            continue  # pip, which installed it, took no notice either
        if canonicalize_name(need.name) != BUNDLED_DISTRIBUTION:
            continue
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        if not need.specifier.contains(Version(version), prereleases=True):
            said = f"Its package {found.distribution} {found.version} requires stagebox"
            yield Concern("PACKAGE_RANGE", "breaks", f"{said}{need.specifier}.")


def _of_needs(
    needs: Sequence[Requirement], release: Release, present: Packages
) -> Iterator[Concern]:
    """Packages that the new version wants in versions which the plugin, or what it requires, does
    not go together with. pip chooses the versions; this finds where it has no choice."""
    wanted = {canonicalize_name(each.name): each for each in release.requires}
    told: set[str] = set()
    for edge in present.edges(needs):
        theirs = wanted.get(canonicalize_name(edge.name))
        if theirs is None or str(edge) in told:
            continue
        if not have_one_in_common(edge.requirement.specifier, theirs.specifier):
            told.add(str(edge))
            ours = f"{theirs.name}{theirs.specifier}"
            text = f"Its package needs {edge}; the new version needs {ours}."
            # Of what stands between, pip may know a version that wants something else.
            yield Concern("DEPENDENCY_CONFLICT", "warns" if edge.by else "breaks", text)


def _of_manifest(manifest: Manifest, release: Release) -> Iterator[Concern]:
    if not sdk_fits(manifest.sdk, release.sdk):
        yield Concern("SDK_RANGE", "breaks", f"It needs SDK {manifest.sdk}, not {release.sdk}.")
    if release.known_by == "rule":
        return
    if manifest.id in release.plugins:
        text = "The new version brings a plugin of this id itself; this one is not loaded then."
        yield Concern("ID_TAKEN", "breaks", text)
    for text in manifest.requires:
        needed, versions = requirement_of(text)
        brought = release.plugins.get(needed)
        if brought is not None and Version(brought) not in versions:
            message = f"It requires {text}, but the new version brings {needed} {brought}."
            yield Concern("PLUGIN_RANGE", "breaks", message)


def _of_code(found: Found, release: Release) -> Iterator[Concern]:
    if release.known_by == "rule":
        return
    for usage in usages_of(found):
        if not usage.module:
            if usage.name in HOOK_NAMES and usage.name not in release.hooks:
                text = f"It answers the hook {usage.name}, which nobody asks any more."
                yield Concern("HOOK_REMOVED", "breaks", f"{text} ({usage.place})")
            continue
        if f"{usage.module}.{usage.name}" in release.names or usage.name == "*":
            continue
        if not _has(release.names, usage.module, usage.name):
            text = f"It uses {usage.module}.{usage.name}, which is not there any more."
            yield Concern("NAME_REMOVED", "breaks", f"{text} ({usage.place})")


def _has(names: Mapping[str, frozenset[str]], module: str, name: str) -> bool:
    """Attributes of what is no module (a class of the SDK) are not judged."""
    return module not in names or name in names[module]


def _of_use(version: str, used: Sequence[DeprecatedUse], release: Release) -> Iterator[Concern]:
    for each in used:
        if each.plugin_version != version:
            continue  # an older version of the plugin did
        times = "once" if each.count == 1 else f"{each.count} times"
        gone = Version(each.removed_in) <= Version(release.sdk)
        then = "is removed by then" if gone else f"is removed in {each.removed_in}"
        text = (
            f"It used {each.name}, deprecated since {each.since}, {times}; that {then}: "
            f"its author should use {each.instead}. ({each.place})"
        )
        yield Concern("DEPRECATED_CALL", "breaks" if gone else "warns", text)
