"""``host.names``: further names that a host answers to."""

from __future__ import annotations

from host.app.management import Names


def test_given_names_join_the_configured_ones():
    names = Names(["Stagebox.Example"])
    assert names.allowed == {"stagebox.example"}
    names.allow(["Films.example", "a.example"])
    assert names.allowed == {"stagebox.example", "films.example", "a.example"}
    names.allow([])
    assert names.allowed == {"stagebox.example"}


def test_a_bundled_plugin_lets_the_host_answer_to_more(make_host):
    host = make_host()
    elsewhere = {"Host": "films.example:81"}
    assert host.get("/api/health", headers=elsewhere).status == 403
    host.host.names.allow(["films.example"])
    assert host.get("/api/health", headers=elsewhere).status == 200
