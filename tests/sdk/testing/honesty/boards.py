"""A plugin that uses most of what there is, and what a call must refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from plugin_sdk import (
    Conflict,
    Context,
    Event,
    Plugin,
    Principal,
    Provider,
    event_handler,
    hookimpl,
    hookspec,
    job,
    migration,
)

SETTINGS = {
    "type": "object",
    "properties": {
        "maxSounds": {"type": "integer", "default": 3},
        "names": {"type": "array", "default": ["a"]},
        "key": {"type": "string"},
    },
}


CAPABILITIES = ["db", "blobs", "paths"]


PERMISSIONS = [
    {"name": "board:z", "description": "Z"},
    {"name": "board:a", "description": "A"},
]


class Volume:
    @hookspec
    def board_volume(self, sound: str, loud: bool) -> float | None: ...


class Board(Plugin):
    manifest = {  # noqa: RUF012  # read by the test host
        "id": "board",
        "settings": SETTINGS,
        "capabilities": CAPABILITIES,
        "permissions": PERMISSIONS,
        "providers": [{"type": "volume", "name": "loud"}, {"type": "volume", "name": "quiet"}],
    }
    hookspecs = (Volume,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.heard: list[Event] = []

    @hookimpl
    def board_volume(self, sound: str) -> float | None:
        if sound == "broken":
            raise ZeroDivisionError
        return 2.0 if sound == "boo" else None

    @migration("001")
    def tables(self, db: Any) -> None:
        db.table("sounds").create({"id": "integer", "label": "text"}, pk="id")

    @event_handler("board.*")
    def hear(self, event: Event) -> None:
        self.heard.append(event)
        if event.name == "board.broken":
            raise ZeroDivisionError

    @job("count")
    def count(self, run: Any) -> Any:
        run.progress(run.args["to"], 9, "at work")
        if run.args["to"] > 9:
            run.save({"attempt": run.attempt})
            raise Conflict("Too far.")
        return {"to": run.args["to"], "saved": run.saved, "attempt": run.attempt}

    def providers(self) -> Sequence[Provider]:
        return [Provider("volume", "loud", "LOUD"), Provider("volume", "quiet", "QUIET")]

    def decide(
        self, principal: Principal, permission: str, resources: Sequence[Any]
    ) -> bool | None:
        return resources[0] if resources else None


def refused(error: type[Exception], *calls: Callable[[], object]) -> None:
    for call in calls:
        with pytest.raises(error):
            call()
