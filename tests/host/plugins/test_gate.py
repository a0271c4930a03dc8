"""The queue before a plugin that has all the calls at once that it may have."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from host.plugins.gate import Gate, GateClosed, Postponed, Slots
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


def test_while_the_code_is_swapped_a_call_waits_on_no_thread() -> None:
    gate, woken = Gate("small", Slots(4, 2, 0)), []
    gate.pause()
    for name in ("one", "two", "three"):
        with pytest.raises(Postponed):
            gate.enter(wake=lambda n=name: woken.append(n) or True)
    assert (gate.inside, woken) == (0, [])
    gate.resume()
    assert woken == ["one", "two", "three"]
    gate.enter(wake=lambda: True)
    assert gate.inside == 1


@pytest.mark.parametrize("end", [Gate.resume, Gate.close])
def test_those_that_wait_on_threads_are_no_more_than_may_be_inside(
    end: Callable[[Gate], None], eventually: Callable[..., None]
) -> None:
    slots = Slots(4, 2, 0)
    gate, outcomes = Gate("small", slots), []
    gate.pause()

    def call() -> None:
        try:
            gate.enter()
            outcomes.append("inside")
        except GateClosed:
            outcomes.append("gone")

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: slots.used == 2)
    with pytest.raises(Unavailable, match="as many calls at once"):
        gate.enter()
    end(gate)
    for thread in threads:
        thread.join()
    expected = "inside" if end is Gate.resume else "gone"
    assert (outcomes, slots.used) == ([expected] * 2, 2 * (expected == "inside"))
