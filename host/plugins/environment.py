"""The Python packages around the plugins: who needs which, and whom a change of them would hurt."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from host.plugins.discovery import BUNDLED_DISTRIBUTION
from host.plugins.packages import read_requirements
from host.plugins.register import Register

__all__ = [
    "HOST",
    "Edge",
    "Package",
    "Packages",
    "applying",
    "conflicts",
    "needs_of_plugins",
    "problems",
]

HOST: Final = "Stagebox itself"
"""Who needs what the host needs, in sentences for people."""

Needs = Mapping[str, Sequence[Requirement]]
"""By plugin id, or `HOST`."""


@dataclass(frozen=True, slots=True)
class Package:
    """A version of a Python package and what it requires."""

    name: str
    version: str
    requires: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A requirement and whose it is: a package's, or that of the plugin itself (""). ``present``
    is the version that there is, None without one."""

    requirement: Requirement
    by: str
    present: str | None

    @property
    def name(self) -> str:
        """Of the package that is required, in canonical form."""
        return _canonical(self.requirement.name)

    @property
    def met(self) -> bool:
        specifier = self.requirement.specifier
        return self.present is not None and specifier.contains(self.present, prereleases=True)

    def __str__(self) -> str:
        wanted = f"{self.requirement.name}{self.requirement.specifier}"
        return f"{wanted} (through {self.by})" if self.by else wanted


class Packages:
    """What is installed, or would be."""

    def __init__(
        self,
        given: Iterable[Package] = (),
        otherwise: Callable[[str], Package | None] = lambda _name: None,
    ) -> None:
        """``otherwise`` finds what is not ``given``, by canonical name."""
        self._known: dict[str, Package | None] = {_canonical(each.name): each for each in given}
        self._otherwise = otherwise

    @classmethod
    def present(cls) -> Packages:
        """Of this interpreter, each read from its disk when it is first asked for."""
        return cls(otherwise=_installed)

    def find(self, name: str) -> Package | None:
        name = _canonical(name)
        if name not in self._known:
            self._known[name] = self._otherwise(name)
        return self._known[name]

    def after(self, changes: Iterable[Package]) -> Packages:
        """With these in place of what there is of the same names."""
        return Packages(changes, self.find)

    def edges(self, needs: Iterable[Requirement]) -> Iterator[Edge]:
        """All that is required, directly and through what is required."""
        queue = [("", each) for each in needs]
        seen: set[tuple[str, str]] = set()
        while queue:
            by, requirement = queue.pop(0)
            if (by, str(requirement)) in seen:
                continue
            seen.add((by, str(requirement)))
            package = self.find(requirement.name)
            yield Edge(requirement, by, package.version if package else None)
            if package is not None and package.name != BUNDLED_DISTRIBUTION:
                inner = _chosen(package.requires, requirement.extras)
                queue += [(package.name, each) for each in inner]

    def unmet(self, needs: Iterable[Requirement]) -> list[Edge]:
        """Those that what is there does not satisfy. The host is there, if only as a folder."""
        return [
            edge
            for edge in self.edges(needs)
            if not edge.met and not (edge.present is None and edge.name == BUNDLED_DISTRIBUTION)
        ]


def _installed(name: str) -> Package | None:
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    requires = tuple(applying(found.requires or (), extras=None))
    return Package(found.metadata["Name"], found.version, requires)


def _canonical(name: str) -> str:
    return str(canonicalize_name(name))


def applying(texts: Iterable[str], extras: Iterable[str] | None = ()) -> Iterator[Requirement]:
    """What holds on this machine, with these extras, as requirements; all extras with None, whose
    markers then stay. What pip could not read either is passed over."""
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if extras is None or _holds(requirement, extras):
            yield requirement


def _chosen(requires: Iterable[Requirement], extras: Iterable[str]) -> list[Requirement]:
    return [each for each in requires if _holds(each, extras)]


def _holds(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": each}) for each in ("", *extras))


def needs_of_plugins(register: Register, packages: Packages) -> dict[str, list[Requirement]]:
    """What every installed plugin, whatever its state, and the host require."""
    needs = {HOST: _needs_of_host(packages)}
    for plugin_id in register.ids():
        found = register.record(plugin_id).found
        if found.source == "entry-point":
            package = packages.find(found.distribution)
            needs[plugin_id] = _chosen(package.requires, ()) if package else []
        elif found.source == "folder" and found.folder is not None:
            needs[plugin_id] = list(applying(read_requirements(found.folder)))
    return needs


def _needs_of_host(packages: Packages) -> list[Requirement]:
    """Those of extras count as far as they are there: nobody notes which extras were asked for."""
    own = packages.find(BUNDLED_DISTRIBUTION)
    needs = []
    for each in own.requires if own else ():
        extra = _canonical(each.name) != BUNDLED_DISTRIBUTION and packages.find(each.name)
        if _holds(each, ()) or extra:
            plain = Requirement(str(each))
            plain.marker = None
            needs.append(plain)
    return needs


def conflicts(newcomer: str, needs: Needs, before: Packages, after: Packages) -> list[str]:
    """One sentence for each requirement of another that a change for ``newcomer`` would break, and
    that is met now; it names both. ``needs`` has the newcomer's, too."""
    wanted: dict[str, list[Edge]] = {}
    for edge in after.edges(needs[newcomer]):
        wanted.setdefault(edge.name, []).append(edge)
    found = []
    for owner, requirements in needs.items():
        if owner == newcomer:
            continue
        broken_already = {str(edge) for edge in before.unmet(requirements)}
        for edge in after.unmet(requirements):
            if str(edge) in broken_already:
                continue
            others = wanted.get(edge.name, [])
            theirs = " and ".join(str(each) for each in others if each.requirement.specifier)
            brought = f"{edge.requirement.name} {edge.present or 'removed'}"
            found.append(f"{owner} needs {edge}, {newcomer} needs {theirs or brought}.")
    return found


def problems(plugin_id: str, packages: Iterable[str], register: Register) -> Iterator[str]:
    """What a plugin with such packages requires and is not there: a sentence each, with who needs
    the version that is there."""
    needs = list(applying(packages))
    if not needs:
        return
    present = Packages.present()
    others = needs_of_plugins(register, present)
    for edge in present.unmet(needs):
        if edge.present is None:
            yield f"{plugin_id} needs {edge}, which is not installed."
            continue
        holding = [
            f"{owner} needs {other}"
            for owner, required in others.items()
            if owner != plugin_id
            for other in present.edges(required)
            if other.name == edge.name and other.requirement.specifier
        ]
        also = f" ({', '.join(holding)})" if holding else ""
        there = f"{edge.requirement.name} {edge.present} is installed"
        yield f"{plugin_id} needs {edge}, but {there}{also}."
