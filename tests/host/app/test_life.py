"""The life of a service that several processes make up."""

from __future__ import annotations

from plugin_sdk import DatabaseUnavailable


def test_processes_share_a_life_until_the_last_has_ended(make_host, tmp_path):
    a = make_host(data_dir=tmp_path / "data")
    first = a.host.info.life
    b = make_host(data_dir=tmp_path / "data")
    assert b.host.info.life == first != ""
    assert not a.host.info.outlived
    a.stop()
    a.start()  # while b goes on
    assert a.host.info.life == first
    b.stop()
    a.stop()
    a.start()
    assert a.host.info.life not in ("", first)


def test_who_stops_knows_whether_others_go_on(make_host, tmp_path):
    a = make_host(data_dir=tmp_path / "data")
    b = make_host(data_dir=tmp_path / "data")
    seen = []
    for host in (a, b):
        life, end = host.host.life, host.host.life.end
        host.host.life.end = lambda life=life, end=end: (seen.append(life.outlived), end())
    a.stop()
    b.stop()
    assert seen == [True, False]


def test_a_dead_process_keeps_no_life_going(make_host, tmp_path):
    a = make_host(data_dir=tmp_path / "data")
    first = a.host.info.life
    a.stop()
    a.host.engine.close()
    b = make_host(data_dir=tmp_path / "data")
    second = b.host.info.life
    with b.host.database.transaction():
        b.host.database.table("_stagebox_lives").insert({"owner": "dead", "life": first})
    c = make_host(data_dir=tmp_path / "data")
    assert c.host.info.life == second
    assert b.host.database.table("_stagebox_lives").count_where("owner = 'dead'") == 0


def test_a_database_that_is_away_keeps_nothing_from_being_taken_down(make_host, monkeypatch):
    host = make_host()

    def away(*_: object) -> None:
        raise DatabaseUnavailable("Nobody is there.")

    for owner, name in (
        (host.host, "_emit"),
        (host.host.presence, "leave"),
        (host.host.deprecations, "flush"),
        (host.host.life, "end"),
    ):
        monkeypatch.setattr(owner, name, away)
    host.stop()  # the guard of leaks sees to the threads
    lines = [line["message"] for line in host.log_lines() if "Nobody is there." in line["message"]]
    assert len(lines) == 3
