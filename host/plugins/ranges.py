"""Ranges of versions: whether two of them have one in common."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

__all__ = ["have_one_in_common"]


def have_one_in_common(one: SpecifierSet, other: SpecifierSet) -> bool:
    """Whether some version, published or not, fits both. Looked at are the ends of the ranges, and
    what lies right before and behind them: between two ends nothing changes."""
    both = one & other
    return any(both.contains(each, prereleases=True) for each in {*_ends(both), Version("0")})


def _ends(ranges: SpecifierSet) -> Iterator[Version]:
    for each in ranges:
        try:
            end = Version(each.version.removesuffix(".*"))
        except InvalidVersion:  # === takes any text
            continue
        yield end
        if each.version.endswith(".*"):  # its other end, behind all that begins so
            behind = [*end.release[:-1], end.release[-1] + 1]
            yield Version(f"{end.epoch}!{'.'.join(map(str, behind))}")
        release = [*end.release, 0, 0, 0][:4]
        yield Version(f"{end.epoch}!{'.'.join(map(str, release))}.1")
        yield from _before(end)


def _before(end: Version) -> Iterator[Version]:
    """The last versions that one could think of below: 2.0 gives 1.99999, 2.3 gives 2.2.99999."""
    for place, number in enumerate(end.release):
        if number:
            parts = [*end.release[:place], number - 1, 99999]
            yield Version(f"{end.epoch}!{'.'.join(map(str, parts))}")
