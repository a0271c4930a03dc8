"""Who serves on a database: other processes, other machines, and those that are gone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host.app.presence import MIGRATIONS, Presence
from host.db import HostDatabase
from host.jobs.owners import this_machine
from host.testing import open_engine
from plugin_sdk.testing import FakeClock

NAME = this_machine().partition("|")[0]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[HostDatabase]:
    engine = open_engine(tmp_path)
    engine.open("host").migrate(MIGRATIONS)
    yield engine.open("host")
    engine.close()


@pytest.fixture
def serving(
    database: HostDatabase, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str, FakeClock], Presence]:
    """Announces as a process of that machine with that id and start would."""

    def announce(machine: str, process: str, clock: FakeClock) -> Presence:
        with monkeypatch.context() as patch:
            patch.setattr("host.app.presence.this_machine", lambda: machine)
            patch.setattr("host.app.presence.this_process", lambda: process)
            patch.setattr(os, "getpid", lambda: int(process.split()[0]))
            presence = Presence(database, clock)
            presence.announce(["http://x"], 1)
        return presence

    return announce


def test_a_machine_of_the_same_name_is_another(
    database: HostDatabase, serving: Callable[..., Presence]
) -> None:
    clock = FakeClock()
    away = serving(f"{NAME}|another-boot|pid:[1]", "1 77", clock)
    here = Presence(database, clock)
    assert [(each.machine, each.pid) for each in here.others()] == [(NAME, 1)]
    here.announce(["http://here"], 2)
    assert here.others(), "a start forgets nobody who serves"
    clock.advance(15)
    away.beat()
    clock.advance(15)
    assert here.others()
    clock.advance(10)
    assert here.others() == [], "it has been silent for too long"


def test_a_process_of_this_machine_is_known_to_be_gone_at_once(
    database: HostDatabase, serving: Callable[..., Presence]
) -> None:
    clock = FakeClock()
    serving(this_machine(), f"{os.getppid()} 1", clock)  # begun with the machine itself
    assert Presence(database, clock).others() == [], "another process has its number now"


def test_who_stops_is_not_there(database: HostDatabase, serving: Callable[..., Presence]) -> None:
    clock = FakeClock()
    away = serving("elsewhere|boot|pid:[1]", "1 77", clock)
    assert Presence(database, clock).others()
    away.leave()
    assert Presence(database, clock).others() == []


def test_who_has_taken_over_what_was_changed(
    database: HostDatabase, serving: Callable[..., Presence]
) -> None:
    clock = FakeClock()
    here = Presence(database, clock)
    assert here.others_followed(7), "nobody serves"
    assert not here.note_followed(7), "not announced"
    away = serving(f"{NAME}|another-boot|pid:[1]", "1 77", clock)
    assert not here.others_followed(0), "announced a moment ago"
    assert away.note_followed(0)
    assert here.others_followed(0)
    assert not here.others_followed(1)
    assert away.note_followed(7)
    assert here.others_followed(7)
    assert away.others_followed(8), "itself is no other"
    away.leave()
    assert here.others_followed(8)


def test_hosts_that_are_gone_are_forgotten_while_others_serve(
    database: HostDatabase, serving: Callable[..., Presence]
) -> None:
    clock = FakeClock()
    for process in range(1, 4):
        serving("elsewhere|boot|pid:[1]", f"{process} 77", clock).leave()
    held_up = serving("elsewhere|boot|pid:[1]", "7 77", clock)
    clock.advance(60)
    here = Presence(database, clock)
    here.announce(["http://here"], 2)
    assert database.table("_stagebox_hosts").count_where() == 2
    held_up.beat()
    assert here.others(), "it goes on with its row"
    clock.advance(25 * 60 * 60)
    here.announce(["http://here"], 2)
    assert database.table("_stagebox_hosts").count_where() == 1
