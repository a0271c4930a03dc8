"""What a request costs, told by what is done, not by a watch (plugin contract, 15)."""

from __future__ import annotations

import pytest

from builtin_plugins.accounts.identities import _WHO

FIRST = {"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"}


# The words of a plan are the engine's, and nothing is remembered where the database is shared
# between machines.
pytestmark = pytest.mark.one_engine


def test_who_stands_behind_a_token_is_found_by_keys_alone(context, plugin):
    plan = context.db.query("EXPLAIN QUERY PLAN " + _WHO, {"hash": "x", "now": 0})
    steps = [row["detail"] for row in plan]
    assert len(steps) == 2
    assert all(step.startswith("SEARCH ") for step in steps)
    assert "token_hash=?" in steps[0]


def test_it_does_not_look_at_groups():
    assert "group" not in _WHO


def test_ending_and_sweeping_sessions_use_indexes(context, plugin):
    for sql in (
        "DELETE FROM sessions WHERE profile_id = :x",
        "DELETE FROM sessions WHERE expires_at <= :x",
        "SELECT id FROM profiles WHERE name_key = :x",
    ):
        (step,) = context.db.query("EXPLAIN QUERY PLAN " + sql, {"x": 1})
        assert step["detail"].startswith("SEARCH "), step


def test_a_signed_in_request_asks_the_database_once_a_second_at_most(people, monkeypatch):
    plugin = people.host.plugin("accounts")
    identities = plugin._identities
    asked = []
    read = identities._read
    monkeypatch.setattr(identities, "_read", lambda *a: asked.append(a) or read(*a))
    monkeypatch.setattr(identities, "_now", lambda: 0.0)
    for _ in range(20):
        assert people.host.get("/api/admin/permission-groups", token=people.admin).status == 200
    assert len(asked) == 1


def test_what_concerns_security_leaves_a_row_in_the_audit_trail(plugin):
    audited = {f"{each.method} {each.path}" for each in plugin.routes() if each.audited}
    assert audited == {
        "POST /api/setup/init",
        "POST /api/auth/recover",
        "POST /api/profiles",
        "PATCH /api/profiles/{id}",
        "DELETE /api/profiles/{id}",
        "POST /api/admin/permission-groups",
        "PATCH /api/admin/permission-groups/{id}",
        "DELETE /api/admin/permission-groups/{id}",
    }


def test_diagnostics_count_and_tell_no_secret(context, plugin):
    plugin._first_run.init(FIRST)
    assert plugin.diagnostics() == {
        "profiles": 1,
        "groups": 1,
        "sessions": 0,
        "attemptsWithUnknownName": 0,
    }


def test_a_websocket_takes_the_token_of_a_profile(make_host, set_up, write_plugin):
    from websockets.exceptions import InvalidStatus

    folder = write_plugin(
        "echo",
        """
        from plugin_sdk import Plugin, websocket

        class plugin(Plugin):
            @websocket("/talk", permission="UPLOAD")
            def talk(self, connection):
                connection.send(connection.principal.name)
        """,
        capabilities=["websocket"],
    )
    people = set_up(make_host(folder))
    _, token = people.add("Alice", "UPLOAD")
    path = f"/api/plugins/echo/talk?token={token}"
    with people.host.websocket(path) as connection:
        assert connection.recv(timeout=60) == "Alice"
    people.host.post("/api/auth/logout", token=token)
    with pytest.raises(InvalidStatus) as caught, people.host.websocket(path):
        pass
    assert caught.value.response.status_code == 401
