"""A worker of the fleet while the database is away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from host.cli.fleet import Member, Worker
from plugin_sdk import DatabaseUnavailable


class Away:
    """A host whose database comes back at the third try."""

    def __init__(self) -> None:
        self.tries = 0

    def serve(self, addresses: list[str], withdrawn: Callable[[], object], **more: Any) -> None:
        self.tries += 1
        if self.tries < 3:
            raise DatabaseUnavailable("Away for a moment.")


def test_it_tells_other_hosts_once_that_is_back(caplog: pytest.LogCaptureFixture) -> None:
    host, log = Away(), logging.getLogger("fleet")
    member = Member({}, "127.0.0.1:1", "127.0.0.1:2", 0, print)
    worker = Worker(member, host, None)  # type: ignore[arg-type]  # what it asks of them is here
    assert [worker._announced(log) for _ in range(3)] == [False, False, True]
    assert caplog.text.count("cannot tell other hosts yet: Away for a moment.") == 2
