from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from soundboard import Soundboard

from plugin_sdk import Conflict, NotFound, Request
from plugin_sdk.testing import FakeContext, request

CHIME = {"label": "Chime", "url": "/api/plugins/example.soundboard/sounds/chime"}
HORN = {"label": "Horn", "url": "https://cdn.example.com/horn.wav"}


def ask(body: Any = None, room: str = "room-1", **params: str) -> Request:
    return request("POST", query={"serverId": room}, body=body, params=params)


def test_a_room_has_no_favourites_at_first(board: Soundboard) -> None:
    assert board.favorites(ask()) == []


def test_favourites_belong_to_a_room(board: Soundboard, context: FakeContext) -> None:
    assert board.add_favorite(ask(CHIME)).status == 201
    board.add_favorite(ask(HORN, room="room-2"))
    assert board.favorites(ask()) == [CHIME]
    # Where GET /api/plugin-data looks for them.
    assert context.data.scope("server", "room-1").get("favorites") == [CHIME]


def test_adding_is_told_to_others(board: Soundboard, context: FakeContext) -> None:
    board.add_favorite(ask(CHIME))
    [event] = context.events.emitted
    assert event.name == "example.soundboard.added"
    assert event.data == {"serverId": "room-1", **CHIME}


@pytest.mark.parametrize("twin", [{**HORN, "label": "Chime"}, {**CHIME, "label": "Bell"}])
def test_a_favourite_is_there_once(
    board: Soundboard, context: FakeContext, twin: dict[str, str]
) -> None:
    board.add_favorite(ask(CHIME))
    with pytest.raises(Conflict, match="there already"):
        board.add_favorite(ask(twin))
    assert board.favorites(ask()) == [CHIME]
    assert len(context.events.emitted) == 1


def test_a_full_board_takes_no_more(board: Soundboard, context: FakeContext) -> None:
    context.settings.update({"maxSounds": 1})
    board.add_favorite(ask(CHIME))
    with pytest.raises(Conflict, match="full"):
        board.add_favorite(ask(HORN))
    board.add_favorite(ask(HORN, room="room-2"))


def test_many_at_once_lose_nothing(board: Soundboard) -> None:
    sounds = [{"label": f"Sound {n}", "url": f"/sounds/{n}"} for n in range(20)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda sound: board.add_favorite(ask(sound)), sounds))
    assert sorted(board.favorites(ask()), key=sounds.index) == sounds


def test_removing_takes_the_label(board: Soundboard) -> None:
    board.add_favorite(ask(CHIME))
    board.add_favorite(ask(HORN))
    board.remove_favorite(ask(label="Chime"))
    assert board.favorites(ask()) == [HORN]
    with pytest.raises(NotFound):
        board.remove_favorite(ask(label="Chime"))


def test_favourites_go_with_their_room(board: Soundboard, context: FakeContext) -> None:
    board.add_favorite(ask(CHIME))
    board.add_favorite(ask(CHIME, room="room-2"))
    context.events.receive("rooms.deleted", {"room": "room-1"})
    assert board.favorites(ask()) == []
    assert board.favorites(ask(room="room-2")) == [CHIME]
