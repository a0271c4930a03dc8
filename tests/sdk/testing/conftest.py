"""Suites under test: each of their tests must find the mutant that breaks its promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

CheckMutants = Callable[..., None]


@pytest.fixture
def check_mutants(run_pytest: Callable[..., Any]) -> CheckMutants:
    """Runs every test of a suite against the mutant of its name, and wants each of them to fail.

    ``mutants``: what is wrong with each, by the test that must find it; ``made``: the source of
    the class ``TestMutant<number>``, from its number, that test and what is wrong."""

    def check(
        suite: type,
        mutants: Mapping[str, str],
        head: str,
        made: Callable[[int, str, str], str],
        files: Mapping[str, str] | None = None,
    ) -> None:
        promises = {name for name in vars(suite) if name.startswith("test_")}
        assert mutants.keys() == promises, "a mutant for each test"
        source, only = head, []
        for number, (name, body) in enumerate(mutants.items()):
            source += made(number, name, body)
            only.append(f"TestMutant{number}::{name}")
        outcome = run_pytest(source, files=files, only=only)
        assert {each.replace(".", "::") for each in outcome.failed} == set(only), outcome.output

    return check
