"""Looking for what other processes changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from host.app.watch import Watch
from plugin_sdk import DatabaseUnavailable

pytestmark = pytest.mark.one_engine


class Database:
    """Counts how often it is looked at; ``away`` while it does not answer."""

    def __init__(self) -> None:
        self.away = False
        self.looks = 0

    def change_counter(self) -> int:
        self.looks += 1
        if self.away:
            raise DatabaseUnavailable("Nobody is there.")
        return self.looks


def test_a_database_that_is_away_is_reported_once(
    wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    database: Any = Database()
    log = logging.getLogger("stagebox.test")
    seen: list[int] = []
    watch = Watch(database, lambda: seen.append(1), lambda: None, log, interval=0.001)
    watch.start()
    try:
        for turn in (1, 2):
            wait_until(lambda: seen)
            database.away, before = True, database.looks
            wait_until(lambda before=before: database.looks > before + 20)
            assert caplog.text.count("Looking for changes failed") == turn
            database.away = False
            seen.clear()
    finally:
        watch.stop()
