"""Did you mean …? One rule for every word that nobody knows: keys, capabilities, options."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean", "suggestion_suffix"]

_MAX_DISTANCE = 2


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to ``word``, or None when none is within edit distance 2.

    Insert, delete, replace and swap of neighbours count 1 each, case does not count; of equally
    near ones the alphabetically first (accounts-and-plugins contract, 1.1 item 5).
    """
    wanted = word.casefold()
    best: tuple[int, str, str] | None = None
    for candidate in known:
        folded = candidate.casefold()
        distance = _distance(wanted, folded)
        if distance <= _MAX_DISTANCE:
            found = (distance, folded, candidate)
            best = found if best is None else min(best, found)
    return best[2] if best else None


def suggestion_suffix(word: str, known: Iterable[str]) -> str:
    """`` did you mean "x"?`` with its leading space, or nothing."""
    found = did_you_mean(word, known)
    return f' did you mean "{found}"?' if found is not None else ""


def _distance(a: str, b: str) -> int:
    """Optimal string alignment distance; anything beyond the limit is the limit + 1."""
    beyond = _MAX_DISTANCE + 1
    if abs(len(a) - len(b)) > _MAX_DISTANCE:
        return beyond
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, char in enumerate(a, start=1):
        row = [i]
        for j, other in enumerate(b, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (char != other))
            if i > 1 and j > 1 and char == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > _MAX_DISTANCE and min(last) > _MAX_DISTANCE:
            return beyond
        before, last = last, row
    return min(last[-1], beyond)
