"""Four colours out of a picture (media contract, 9.3).

Modified median cut quantisation (Bloomberg) over a histogram of 5 bits per channel, then the
choice of named swatches. Each step is the contract's, in its order: other orders give other
colours.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["NAMES", "Swatch", "boxes_of", "colours", "named_swatches", "swatches_of"]

_BITS: Final = 5
_CELL: Final = 1 << (8 - _BITS)
_SIDE: Final = 1 << _BITS
_MAX_BOXES: Final = 64
_BY_COUNT: Final = 48  # three quarters of them

Rgb = tuple[int, int, int]
_Ranges = tuple[float, float, float]

_NORMAL: Final[_Ranges] = (0.50, 0.30, 0.70)
_LIGHT: Final[_Ranges] = (0.74, 0.55, 1.0)
_DARK: Final[_Ranges] = (0.26, 0.0, 0.45)
_VIVID: Final[_Ranges] = (1.0, 0.35, 1.0)
_MUTED: Final[_Ranges] = (0.3, 0.0, 0.4)
_TARGETS: Final[Sequence[tuple[str, _Ranges, _Ranges]]] = (
    ("Vibrant", _NORMAL, _VIVID),
    ("LightVibrant", _LIGHT, _VIVID),
    ("DarkVibrant", _DARK, _VIVID),
    ("Muted", _NORMAL, _MUTED),
    ("LightMuted", _LIGHT, _MUTED),
    ("DarkMuted", _DARK, _MUTED),
)
NAMES: Final = tuple(name for name, _, _ in _TARGETS)
_SHOWN: Final = ("Vibrant", "LightVibrant", "DarkVibrant", "Muted")


@dataclass(frozen=True, slots=True)
class Swatch:
    """``hue``, ``saturation`` and ``lightness`` are from 0 to 1."""

    rgb: Rgb
    population: int
    hue: float
    saturation: float
    lightness: float

    @classmethod
    def of(cls, rgb: Rgb, population: int) -> Swatch:
        red, green, blue = rgb
        hue, lightness, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
        return cls(rgb, population, hue, saturation, lightness)

    def at(self, lightness: float) -> Swatch:
        """The same hue and saturation, lighter or darker; nobody's pixels."""
        red, green, blue = colorsys.hls_to_rgb(self.hue, lightness, self.saturation)
        rgb = (int(red * 255), int(green * 255), int(blue * 255))
        return Swatch(rgb, 0, self.hue, self.saturation, lightness)

    @property
    def hex(self) -> str:
        return "#{:02x}{:02x}{:02x}".format(*self.rgb)


def colours(picture: Image.Image) -> list[str]:
    """Four colours as ``#rrggbb``; none for a picture without any."""
    named = named_swatches(swatches_of(picture))
    shown = [named[name].hex for name in _SHOWN if name in named]
    return [*shown, *shown[:1] * (4 - len(shown))] if shown else []


def swatches_of(picture: Image.Image) -> list[Swatch]:
    return [box.swatch() for box in boxes_of(_histogram(picture))]


# Pixels


def _histogram(picture: Image.Image) -> dict[Rgb, int]:
    """Pixels by cell; those that are nearly clear or nearly white do not count."""
    from PIL import Image  # a host starts faster without it

    rgba = picture.convert("RGBA")
    size = (max(1, int(rgba.width / 5)), max(1, int(rgba.height / 5)))
    small = rgba.resize(size, Image.Resampling.BOX)
    cells: dict[Rgb, int] = {}
    # Equal pixels are counted by Pillow, in C; there are at most as many as pixels.
    counted: Any = small.getcolors(size[0] * size[1]) or ()
    for count, (red, green, blue, alpha) in counted:
        if alpha < 125 or (red > 250 and green > 250 and blue > 250):
            continue
        cell = (red >> 3, green >> 3, blue >> 3)
        cells[cell] = cells.get(cell, 0) + count
    return cells


# Boxes


class _Box:
    """Cells from ``low`` to ``high``, both inclusive; ``cells`` are the occupied ones in it."""

    def __init__(self, low: Rgb, high: Rgb, cells: dict[Rgb, int]) -> None:
        self.low = low
        self.high = high
        self.cells = cells
        self.count = sum(cells.values())

    @property
    def sides(self) -> Rgb:
        (r0, g0, b0), (r1, g1, b1) = self.low, self.high
        return r1 - r0 + 1, g1 - g0 + 1, b1 - b0 + 1

    @property
    def volume(self) -> int:
        red, green, blue = self.sides
        return red * green * blue

    def swatch(self) -> Swatch:
        """The population-weighted mean of the cells' centres."""
        sums = [0.0, 0.0, 0.0]
        for cell, count in self.cells.items():
            for axis in range(3):
                sums[axis] += count * (cell[axis] + 0.5) * _CELL
        red, green, blue = (int(each / self.count) for each in sums)
        return Swatch.of((red, green, blue), self.count)

    def split(self) -> list[_Box]:
        """The lower half and, if it has pixels, the upper; itself when there is one pixel."""
        if self.count == 1:
            return [self]
        sides = self.sides
        axis = sides.index(max(sides))
        low, high = self.low[axis], self.high[axis]
        cut = self._cut(axis, low, high)
        below = {cell: count for cell, count in self.cells.items() if cell[axis] <= cut}
        above = {cell: count for cell, count in self.cells.items() if cell[axis] > cut}
        boxes = [_Box(self.low, _with(self.high, axis, cut), below)]
        if above:
            boxes.append(_Box(_with(self.low, axis, cut + 1), self.high, above))
        return boxes

    def _cut(self, axis: int, low: int, high: int) -> int:
        sums = self._cumulative(axis)
        total = self.count
        middle = next(index for index in range(low, high + 1) if sums[index] > total / 2)
        left, right = middle - low, high - middle
        if left <= right:
            cut = max(0, min(high - 1, int(middle + right / 2)))
        else:
            cut = min(high, max(low, int(middle - 1 - left / 2)))
        while sums[cut] == 0:
            cut += 1
        while sums[cut] == total and cut > 0 and sums[cut - 1] != 0:
            cut -= 1
        return cut

    def _cumulative(self, axis: int) -> list[int]:
        """Pixels up to each index, 0 below the box."""
        sums = [0] * (_SIDE + 1)
        for cell, count in self.cells.items():
            sums[cell[axis]] += count
        for index in range(1, _SIDE + 1):
            sums[index] += sums[index - 1]
        return sums


def _with(corner: Rgb, axis: int, value: int) -> Rgb:
    changed = [*corner]
    changed[axis] = value
    return changed[0], changed[1], changed[2]


def boxes_of(cells: dict[Rgb, int]) -> list[_Box]:
    if not cells:
        return []
    low = tuple(min(cell[axis] for cell in cells) for axis in range(3))
    high = tuple(max(cell[axis] for cell in cells) for axis in range(3))
    boxes = [_Box((low[0], low[1], low[2]), (high[0], high[1], high[2]), cells)]
    boxes = _cut_up(boxes, _BY_COUNT, lambda box: box.count)
    boxes = _cut_up(boxes, _MAX_BOXES - len(boxes), _weight)
    boxes.sort(key=_weight)
    return boxes[::-1]


def _weight(box: _Box) -> int:
    return box.count * box.volume


def _cut_up(boxes: list[_Box], wanted: int, key: Callable[[_Box], int]) -> list[_Box]:
    """Splits the greatest box again and again, until there are enough or it does not split."""
    while len(boxes) < wanted:
        before = len(boxes)
        boxes.sort(key=key)
        boxes.extend(boxes.pop().split())
        if len(boxes) == before:
            break
    return boxes


# Swatches


def named_swatches(swatches: Sequence[Swatch]) -> dict[str, Swatch]:
    """The best for each name, gaps filled from the others."""
    largest = max((each.population for each in swatches), default=0)
    named: dict[str, Swatch] = {}
    chosen: set[int] = set()
    for name, light, vivid in _TARGETS:
        best, best_score = None, 0.0
        for index, each in enumerate(swatches):
            if index in chosen or not _fits(each.lightness, light):
                continue
            if not _fits(each.saturation, vivid):
                continue
            score = _score(each, light[0], vivid[0], largest)
            if best is None or score > best_score:
                best, best_score = index, score
        if best is not None:
            chosen.add(best)
            named[name] = swatches[best]
    return _filled(named)


def _fits(value: float, ranges: _Ranges) -> bool:
    return ranges[1] <= value <= ranges[2]


def _score(swatch: Swatch, lightness: float, saturation: float, largest: int) -> float:
    """A weighted mean; a term of 0 does not count, nor does its weight."""
    terms = (
        (1 - abs(swatch.saturation - saturation), 3.0),
        (1 - abs(swatch.lightness - lightness), 6.5),
        (swatch.population / largest if largest else 0.0, 0.5),
    )
    total = sum(value * weight for value, weight in terms if value)
    weights = sum(weight for value, weight in terms if value)
    return total / weights if weights else 0.0


def _filled(named: dict[str, Swatch]) -> dict[str, Swatch]:
    def derive(name: str, source: str, lightness: float) -> None:
        if name not in named and source in named:
            named[name] = named[source].at(lightness)

    if not any(name in named for name in ("Vibrant", "LightVibrant", "DarkVibrant")):
        derive("DarkVibrant", "DarkMuted", 0.26)
        if "LightMuted" in named:
            named["DarkVibrant"] = named["LightMuted"].at(0.26)
    derive("Vibrant", "DarkVibrant", 0.50)
    derive("Vibrant", "LightVibrant", 0.50)
    derive("DarkVibrant", "Vibrant", 0.26)
    derive("LightVibrant", "Vibrant", 0.74)
    derive("Muted", "Vibrant", 0.30)
    derive("DarkMuted", "DarkVibrant", 0.30)
    derive("LightMuted", "LightVibrant", 0.30)
    return named
