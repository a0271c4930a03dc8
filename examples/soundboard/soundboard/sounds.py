"""The sounds of the board, made from arithmetic: no files to ship, nobody's rights to clear.

A wave is a function from seconds to amplitude. Whatever its loudness, `wav` brings it to the same
peak, and noise is drawn from a seed: the same sound is the same bytes each time.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import exp, pi, sin
from random import Random
from struct import pack
from typing import Final

__all__ = ["EDITION", "SOUNDS", "Sound", "wav"]

EDITION: Final = 1
"""Grows whenever a sound changes, so that what an older edition stored is not played any more."""

RATE: Final = 22_050
PEAK: Final = 0.9 * 32_767
FADE: Final = 0.008
"""Seconds at the end in which a sound dies away; a sudden end would click."""

Wave = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Sound:
    """``make`` gives a fresh wave each time, since noise remembers where it was."""

    label: str
    seconds: float
    make: Callable[[], Wave]


def wav(sound: Sound) -> bytes:
    """The sound as a WAV file: mono, 16 bits, 22,050 samples a second."""
    amplitude, count = sound.make(), round(sound.seconds * RATE)
    samples = [amplitude(n / RATE) * min(1.0, (count - n) / (FADE * RATE)) for n in range(count)]
    scale = PEAK / max(map(abs, samples))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pack(f"<{count}h", *(round(scale * sample) for sample in samples)))
    return out.getvalue()


def tone(pitch: float, time: float) -> float:
    """A pure tone of ``pitch`` hertz."""
    return sin(2 * pi * pitch * time)


def brass(pitch: float, time: float) -> float:
    """A tone with overtones: bright, and a little rough."""
    return sum(tone(pitch * n, time) / n for n in range(1, 7))


def slide(start: float, end: float, decay: float, time: float) -> float:
    """A tone that falls (or climbs) from one pitch to another, fast at first."""
    # The phase is the integral of the pitch; sin(pitch(t) * t) would slide twice as far.
    cycles = end * time + (start - end) * (1 - exp(-decay * time)) / decay
    return sin(2 * pi * cycles)


def noise(seed: int) -> Callable[[], float]:
    """A hiss that is the same each time."""
    random = Random(seed)
    return lambda: random.uniform(-1, 1)


def bell(pitch: float, decay: float, time: float) -> float:
    """A struck bar: overtones that fit no scale, the higher ones gone first."""
    partials = ((1.0, 1.0), (2.756, 0.5), (5.404, 0.25))
    return sum(loud * tone(pitch * n, time) * exp(-decay * n * time) for n, loud in partials)


def melody(notes: Iterable[tuple[float, float]], play: Callable[[float, float], float]) -> Wave:
    """Notes ``(start, pitch)``, each until the next one: ``play(pitch, seconds since start)``."""
    score = sorted(notes, reverse=True)

    def amplitude(time: float) -> float:
        start, pitch = next(note for note in score if note[0] <= time)
        return play(pitch, time - start)

    return amplitude


def chime() -> Wave:
    return lambda t: bell(1047, 3.2, t) + (0.8 * bell(1568, 3.2, t - 0.16) if t >= 0.16 else 0)


def drum() -> Wave:
    hiss = noise(1)
    return lambda t: slide(190, 48, 28, t) * exp(-6 * t) + 0.25 * hiss() * exp(-90 * t)


def snare() -> Wave:
    hiss = noise(2)
    return lambda t: hiss() * exp(-16 * t) + 0.7 * slide(330, 180, 40, t) * exp(-22 * t)


def pop() -> Wave:
    return lambda t: slide(240, 1500, 22, t) * exp(-26 * t)


def coin() -> Wave:
    return melody([(0, 988), (0.08, 1319)], lambda pitch, t: brass(pitch, t) * exp(-5.5 * t))


def laser() -> Wave:
    return lambda t: (slide(2600, 110, 9, t) + 0.3 * slide(5200, 220, 9, t)) * exp(-4 * t)


def buzzer() -> Wave:
    return lambda t: (brass(116.5, t) + brass(123.5, t)) * min(1.0, t / 0.01)


def fanfare() -> Wave:
    def horn(pitch: float, time: float) -> float:
        return brass(pitch, time) * min(1.0, time / 0.02) * exp(-1.6 * time)

    return melody([(0, 523), (0.14, 523), (0.28, 523), (0.42, 698)], horn)


def applause() -> Wave:
    hiss, hands = noise(3), Random(4)
    claps = [-1.0] * 24  # when each pair of hands clapped last

    def amplitude(time: float) -> float:
        for pair, clapped in enumerate(claps):
            if time - clapped > 0.08 and hands.random() < 7 / RATE:
                claps[pair] = time
        crowd = sum(exp(-70 * (time - clapped)) for clapped in claps)
        return hiss() * crowd * min(1.0, 4 * time, 2.4 - time)

    return amplitude


SOUNDS: Final[Mapping[str, Sound]] = {
    "chime": Sound("Chime", 1.6, chime),
    "drum": Sound("Drum", 0.7, drum),
    "snare": Sound("Snare", 0.35, snare),
    "pop": Sound("Pop", 0.22, pop),
    "coin": Sound("Coin", 0.8, coin),
    "laser": Sound("Laser", 0.6, laser),
    "buzzer": Sound("Buzzer", 0.8, buzzer),
    "fanfare": Sound("Fanfare", 1.5, fanfare),
    "applause": Sound("Applause", 2.2, applause),
}
"""The built-in sounds by name, in the order of the board."""
