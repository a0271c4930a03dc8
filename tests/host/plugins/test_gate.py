"""The queue before a plugin that has all the calls at once that it may have."""

from __future__ import annotations

import pytest

from host.plugins.gate import Gate, Postponed, Slots
from plugin_sdk import Unavailable


def full() -> Gate:
    gate = Gate("small", Slots(4, 1, 0))
    gate.enter()
    return gate


def test_without_a_bell_a_call_is_refused() -> None:
    with pytest.raises(Unavailable, match="as many calls at once") as refused:
        full().enter()
    assert refused.value.retry_after == 1


def test_the_first_that_waits_is_woken_and_those_that_gave_up_are_passed_over() -> None:
    gate, woken = full(), []
    for name, still_there in (("gone", False), ("too", False), ("first", True), ("next", True)):
        with pytest.raises(Postponed):
            gate.enter(wake=lambda n=name, s=still_there: woken.append(n) or s)
    gate.leave()
    assert woken == ["gone", "too", "first"]
    gate.enter()
    gate.leave()
    assert woken == ["gone", "too", "first", "next"]


def test_a_place_given_back_early_wakes_one_too() -> None:
    gate, woken = full(), []
    with pytest.raises(Postponed):
        gate.enter(wake=lambda: woken.append(1) or True)
    gate.give_slot()
    assert (woken, gate.inside) == ([1], 1)
