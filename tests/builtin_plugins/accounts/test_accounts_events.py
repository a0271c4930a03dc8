"""What other plugins hear (plugin contract, 13), and when."""

from __future__ import annotations

import pytest

from plugin_sdk.testing import request, signed_in

JSON = {"Content-Type": "application/json"}
FIRST = {"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"}
BOB = {"name": "Bob", "pin": "1234", "recoveryPhrase": "his phrase"}
ROOT = signed_in("ADMIN")


@pytest.fixture
def told(context, plugin):
    """Names and data of what was told since the last look."""

    def told():
        found = [(each.name, dict(each.data)) for each in context.events.emitted]
        context.events.clear()
        return found

    plugin._first_run.init(FIRST)
    plugin._profiles.create(BOB, ROOT)
    context.events.clear()
    return told


def about(what, profile_id=2):
    return (f"accounts.profile_{what}", {"profileId": profile_id})


RIGHTS = ("accounts.permissions_changed", {})


def test_the_first_run_tells_of_profile_and_rights(context, plugin):
    plugin._first_run.init(FIRST)
    events = [(each.name, dict(each.data)) for each in context.events.emitted]
    assert events == [about("created", 1), RIGHTS]


def test_profiles(told, plugin):
    plugin._profiles.create({**BOB, "name": "Carol"}, ROOT)
    assert told() == [about("created", 3)]
    plugin._profiles.change(2, {"avatarId": 1}, ROOT)
    assert told() == [about("updated")]
    plugin._profiles.change(2, {}, ROOT)
    assert told() == []
    body = {"name": "Bob", "recoveryPhrase": "his phrase", "newPin": "5678"}
    plugin.recover(request("POST", body=body, headers=JSON))
    assert told() == [about("updated")]
    plugin._profiles.delete(2, ROOT)
    assert told() == [about("deleted")]


def test_groups(told, plugin):
    created = plugin._groups.create({"name": "G", "profileIds": [2]}, ROOT)
    assert told() == [RIGHTS]
    plugin._groups.change(created["id"], {"name": "H", "profileIds": [2]}, ROOT)
    assert told() == []
    plugin._groups.change(created["id"], {"permissions": ["UPLOAD"]}, ROOT)
    assert told() == [RIGHTS]
    plugin._groups.delete(created["id"], ROOT)
    assert told() == [RIGHTS]


@pytest.mark.parametrize("change", [{"locked": True}, {"name": "Bob"}])
def test_what_is_refused_tells_nothing(told, plugin, change):
    with pytest.raises(Exception, match=r"administer|named"):
        plugin._profiles.change(1, change, ROOT)
    assert told() == []


def test_attempts_and_sessions_tell_nothing(told, plugin, context):
    provider = context.providers.get("auth", "accounts")
    with pytest.raises(Exception, match="belong together"):
        provider.login({"profileName": "Bob", "pin": "x"}, request("POST"))
    login = provider.login({"profileName": "Bob", "pin": "1234"}, request("POST"))
    provider.logout(login.token)
    assert told() == []


def test_others_have_handled_a_deletion_before_it_is_answered(
    make_host, set_up, write_plugin, monkeypatch
):
    folder = write_plugin(
        "keeper",
        """
        import threading
        from plugin_sdk import Plugin, event_handler, route

        class plugin(Plugin):
            @route("POST", "/keep/{id}", access="open")
            def keep(self, request):
                self.context.data.scope("profile", request.params["id"]).set("score", 87)

            @route("GET", "/keep/{id}", access="open")
            def kept(self, request):
                scope = self.context.data.scope("profile", request.params["id"])
                return {"score": scope.get("score")}

            @event_handler("accounts.profile_deleted")
            def forget(self, event):
                threading.Event().wait(0.2)
                self.context.data.scope("profile", event.data["profileId"]).clear()
        """,
    )
    people = set_up(make_host(folder))
    id, _ = people.add("Alice")
    events = people.host.plugin("accounts").context.events
    settle = type(events).settle
    monkeypatch.setattr(type(events), "settle", lambda self: settle(self, 60.0))
    path = f"/api/plugins/keeper/keep/{id}"
    people.host.post(path)
    assert people.host.get(path).json() == {"score": 87}
    assert people.host.delete(f"/api/profiles/{id}", token=people.admin).status == 204
    assert people.host.get(path).json() == {"score": None}


def test_other_plugins_may_know_the_names_of_profiles(context, plugin):
    plugin._first_run.init(FIRST)
    names = context.services.get("accounts.profiles")
    assert names.name(1) == "Admin"
    assert [names.name(number) for number in (2, 0, -1, 2**63)] == [None] * 4
