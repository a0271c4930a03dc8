"""`/api/admin/permission-groups` (plugin contract, 5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

PATH = "/api/admin/permission-groups"


@pytest.fixture
def crowd(people):
    """Admin and profiles 2 to 4."""
    for name in ("Alice", "Bob", "Carol"):
        people.add(name)
    return people


def problems(reply):
    assert (reply.status, reply.json()["error"]) == (400, "INVALID_REQUEST")
    return [each["path"] for each in reply.json()["details"]]


def test_the_group_of_the_seed(crowd):
    body = {"name": "Editors", "profileIds": [2, 3], "permissions": ["EDIT_TRACKS"]}
    reply = crowd.host.post(PATH, json=body, token=crowd.admin)
    assert reply.status == 201
    group = reply.json()
    assert group == {
        "id": 2,
        **body,
        "createdAt": group["createdAt"],
        "updatedAt": group["createdAt"],
    }
    listed = crowd.host.get(PATH, token=crowd.admin).json()
    assert [each["id"] for each in listed] == [1, 2]
    assert listed[1] == group


def test_lists_are_put_in_order_without_repeats(crowd):
    body = {
        "name": "  Mixed ",
        "profileIds": [4, 2, 4],
        "permissions": ["z.plugin:b", "upload", "a-plugin:Z", "ADMIN", "Upload"],
    }
    group = crowd.host.post(PATH, json=body, token=crowd.admin).json()
    assert (group["name"], group["profileIds"]) == ("Mixed", [2, 4])
    assert group["permissions"] == ["ADMIN", "UPLOAD", "a-plugin:z", "z.plugin:b"]


def test_lists_are_empty_unless_given(crowd):
    group = crowd.host.post(PATH, json={"name": "Empty"}, token=crowd.admin).json()
    assert (group["profileIds"], group["permissions"]) == ([], [])


def test_only_what_is_sent_changes_and_lists_are_replaced(crowd):
    id = crowd.group("Editors", [2, 3], ["EDIT_TRACKS", "UPLOAD"])
    before = crowd.host.get(PATH, token=crowd.admin).json()[1]

    def patch(body):
        reply = crowd.host.patch(f"{PATH}/{id}", json=body, token=crowd.admin)
        assert reply.status == 200
        return reply.json()

    assert patch({}) == before
    assert patch({"other": 1}) == before
    renamed = patch({"name": "EDITORS"})
    assert {**before, "name": "EDITORS", "updatedAt": renamed["updatedAt"]} == renamed
    moved = patch({"profileIds": [4]})
    assert (moved["profileIds"], moved["permissions"]) == ([4], ["EDIT_TRACKS", "UPLOAD"])
    other = patch({"permissions": ["DELETE_TRACKS"]})
    assert (other["profileIds"], other["permissions"]) == ([4], ["DELETE_TRACKS"])
    assert other["createdAt"] == before["createdAt"]


def test_a_group_is_deleted_once(crowd):
    id = crowd.group("Editors", [2], ["EDIT_TRACKS"])
    reply = crowd.host.delete(f"{PATH}/{id}", token=crowd.admin)
    assert (reply.status, reply.content) == (204, b"")
    assert crowd.host.delete(f"{PATH}/{id}", token=crowd.admin).status == 404
    assert crowd.host.patch(f"{PATH}/{id}", json={}, token=crowd.admin).status == 404
    assert crowd.group("Editors") > id


@pytest.mark.parametrize("id", ["0", "x", "1.0", "-1"])
def test_malformed_ids(crowd, id):
    assert problems(crowd.host.patch(f"{PATH}/{id}", json={}, token=crowd.admin)) == ["id"]
    assert problems(crowd.host.delete(f"{PATH}/{id}", token=crowd.admin)) == ["id"]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, ["name"]),
        ({"name": " "}, ["name"]),
        ({"name": "x" * 129}, ["name"]),
        ({"name": "x", "profileIds": "2"}, ["profileIds"]),
        ({"name": "x", "profileIds": [2, 2.0, True, "3", None]},
         ["profileIds.1", "profileIds.2", "profileIds.3", "profileIds.4"]),
        ({"name": "x", "profileIds": [2, 99, 0, -1, 10**30]},
         ["profileIds.1", "profileIds.2", "profileIds.3", "profileIds.4"]),
        ({"name": "x", "profileIds": list(range(10_001))}, ["profileIds"]),
        ({"name": "x", "permissions": ["UPLOAD", "NOPE", 1, "a:"]},
         ["permissions.1", "permissions.2", "permissions.3"]),
        ({"name": "x", "permissions": [f"p{n}:x" for n in range(201)]}, ["permissions"]),
        ({"name": 1, "profileIds": {}, "permissions": None},
         ["name", "profileIds", "permissions"]),
    ],
)  # fmt: skip
def test_bodies_that_are_refused(crowd, body, paths):
    assert problems(crowd.host.post(PATH, json=body, token=crowd.admin)) == paths
    if body and "name" in body:
        assert problems(crowd.host.patch(f"{PATH}/1", json=body, token=crowd.admin)) == paths
        assert problems(crowd.host.patch(f"{PATH}/77", json=body, token=crowd.admin)) == paths


def test_names_are_unique_in_every_spelling(crowd):
    id = crowd.group("Straße")
    for reply in (
        crowd.host.post(PATH, json={"name": "STRASSE "}, token=crowd.admin),
        crowd.host.patch(f"{PATH}/1", json={"name": "strasse"}, token=crowd.admin),
    ):
        assert (reply.status, reply.json()["error"]) == (409, "CONFLICT")
    assert (
        crowd.host.patch(f"{PATH}/{id}", json={"name": "STRASSE"}, token=crowd.admin).status == 200
    )


def test_without_the_permission_nothing_is_shown(crowd):
    token = crowd.token("Alice")
    for method, path in (("GET", PATH), ("POST", PATH), ("PATCH", PATH + "/1"),
                         ("DELETE", PATH + "/1"), ("DELETE", PATH + "/x")):  # fmt: skip
        assert crowd.host.request(method, path).status == 401
        reply = crowd.host.request(method, path, token=token)
        assert (reply.status, reply.json()["message"]) == (
            403,
            "Missing permission: MANAGE_PERMISSIONS",
        )


def test_a_change_takes_effect_with_the_next_request(crowd):
    token = crowd.token("Alice")
    assert crowd.session(token).json()["permissions"] == []
    first = crowd.group("One", [2, 3], ["UPLOAD", "MANAGE_PERMISSIONS"])
    assert crowd.session(token).json()["permissions"] == ["MANAGE_PERMISSIONS", "UPLOAD"]
    assert crowd.host.get(PATH, token=token).status == 200
    second = crowd.group("Two", [2], ["UPLOAD", "gone.plugin:verb"])
    granted = ["MANAGE_PERMISSIONS", "UPLOAD", "gone.plugin:verb"]
    assert crowd.session(token).json()["permissions"] == granted
    crowd.host.patch(f"{PATH}/{first}", json={"profileIds": [3]}, token=crowd.admin)
    assert crowd.session(token).json()["permissions"] == ["UPLOAD", "gone.plugin:verb"]
    assert crowd.host.get(PATH, token=token).status == 403
    crowd.host.patch(f"{PATH}/{second}", json={"permissions": ["UPLOAD"]}, token=crowd.admin)
    assert crowd.session(token).json()["permissions"] == ["UPLOAD"]
    crowd.host.delete(f"{PATH}/{second}", token=crowd.admin)
    assert crowd.session(token).json()["permissions"] == []


def test_permissions_of_plugins_are_checked_by_the_host(make_host, set_up, write_plugin):
    folder = write_plugin(
        "waver",
        """
        from plugin_sdk import Plugin, route

        class plugin(Plugin):
            @route("GET", "/wave", permission="waver:wave")
            def wave(self, request):
                return {"who": request.principal.name}
        """,
        permissions=[{"name": "waver:wave", "description": "Wave"}],
    )
    people = set_up(make_host(folder))
    _, token = people.add("Alice")
    path = "/api/plugins/waver/wave"
    assert people.host.get(path).status == 401
    assert people.host.get(path, token=token).status == 403
    people.group("Wavers", [2], ["Waver:Wave"])
    assert people.host.get(path, token=token).json() == {"who": "Alice"}
    assert people.host.get(path, token=people.admin).status == 200


@pytest.fixture
def manager(crowd):
    """Somebody who manages permissions without being an administrator."""
    _, token = crowd.add("Manager", "MANAGE_PERMISSIONS", "UPLOAD")
    return token


def refused(reply):
    assert (reply.status, reply.json()["error"]) == (403, "FORBIDDEN")
    return reply.json()["message"]


def test_nobody_hands_out_what_he_does_not_hold(crowd, manager):
    host = crowd.host
    for permission in ("ADMIN", "MANAGE_PLUGINS", "some.plugin:verb"):
        body = {"name": "New", "permissions": ["UPLOAD", permission]}
        assert refused(host.post(PATH, json=body, token=manager)).endswith(permission)
    body = {"name": "New", "profileIds": [2], "permissions": ["UPLOAD"]}
    reply = host.post(PATH, json=body, token=manager)
    assert reply.status == 201
    own = f"{PATH}/{reply.json()['id']}"
    change = {"permissions": ["UPLOAD", "EDIT_TRACKS"]}
    assert refused(host.patch(own, json=change, token=manager)).endswith("EDIT_TRACKS")
    assert host.patch(own, json={"profileIds": [2, 3]}, token=manager).status == 200
    assert host.patch(own, json={"permissions": []}, token=manager).status == 200
    assert host.delete(own, token=manager).status == 204


def test_nobody_joins_somebody_to_what_he_does_not_hold(crowd, manager):
    host = crowd.host
    above = crowd.group("Above", [2], ["MANAGE_PLUGINS", "UPLOAD"])
    path = f"{PATH}/{above}"
    me = crowd.session(manager).json()["session"]["profileId"]
    message = refused(host.patch(path, json={"profileIds": [2, me]}, token=manager))
    assert message == "Missing permission: MANAGE_PLUGINS"
    # What takes away, or leaves as it is, raises nobody.
    assert host.patch(path, json={"name": "Renamed"}, token=manager).status == 200
    same = {"permissions": ["MANAGE_PLUGINS", "UPLOAD"], "profileIds": [2]}
    assert host.patch(path, json=same, token=manager).status == 200
    assert host.patch(path, json={"profileIds": []}, token=manager).status == 200
    assert host.patch(path, json={"permissions": ["UPLOAD"]}, token=manager).status == 200
    assert host.patch(path, json={"profileIds": [me]}, token=manager).status == 200


def test_nobody_touches_a_group_of_administrators_from_below(crowd, manager):
    host = crowd.host
    for body in ({}, {"name": "x"}, {"permissions": []}, {"profileIds": []}, {"name": 1}):
        refused(host.patch(f"{PATH}/1", json=body, token=manager))
    refused(host.delete(f"{PATH}/1", token=manager))
    (group,) = [each for each in host.get(PATH, token=manager).json() if each["id"] == 1]
    assert (group["name"], group["profileIds"]) == ("admin", [1])


def test_an_administrator_without_more_may_do_all(crowd):
    _, token = crowd.add("Ann", "ADMIN")
    body = {"name": "New", "profileIds": [2], "permissions": ["ADMIN", "some.plugin:verb"]}
    assert crowd.host.post(PATH, json=body, token=token).status == 201


def test_no_change_of_many_at_once_is_lost(make_host, set_up):
    people = set_up(make_host(config={"threads": 16, "max_calls_per_plugin": 16}))
    ids = [people.add(f"Person {number}")[0] for number in range(8)]
    group = people.group("Shared")
    verbs = [f"plugin{number}:verb" for number in range(100)]

    def edit(number):
        if number % 2:
            body = {
                "name": f"Group {number}",
                "profileIds": ids,
                "permissions": [verbs[number // 2]],
            }
            return people.host.post(PATH, json=body, token=people.admin).status
        body = {"name": f"Shared {number}"} if number % 4 else {"profileIds": ids[: number % 8]}
        return people.host.patch(f"{PATH}/{group}", json=body, token=people.admin).status

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(edit, range(200)))
    assert set(statuses) == {200, 201}
    groups = people.host.get(PATH, token=people.admin).json()
    assert len(groups) == 2 + 100
    for number in range(8):
        token = people.token(f"Person {number}")
        assert people.session(token).json()["permissions"] == sorted(verbs)


def test_a_group_of_ten_thousand(people):
    db = people.host.plugin("accounts").context.db
    row = {"pin_hash": "x", "phrase_hash": "x", "phrase_hint": "", "settings": {}}
    with db.transaction():
        db.table("profiles").insert_all(
            {**row, "name": f"P{n}", "name_key": f"p{n}", "created_at": 0, "updated_at": 0}
            for n in range(9_999)
        )
    ids = [each["id"] for each in people.host.get("/api/profiles").json()]
    group = people.group("All", ids, ["UPLOAD"])
    granted = db.value("SELECT count(*) FROM profiles WHERE granted LIKE '%UPLOAD%'")
    assert granted == 10_000
    reply = people.host.patch(f"{PATH}/{group}", json={"profileIds": [1]}, token=people.admin)
    assert reply.status == 200
    assert db.value("SELECT count(*) FROM profiles WHERE granted LIKE '%UPLOAD%'") == 1


def test_what_groups_hold_of_a_plugin_is_counted_and_purged(context, plugin):
    plugin._first_run.init({"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"})
    with context.db.transaction():
        plugin._groups.insert("Editors", [1], ["notes:write", "notes:read", "notes.more:read"])

    def held(plugin_id):
        return plugin.holds(plugin_id)["permissions granted to groups"]

    assert [held(each) for each in ("notes", "notes.more", "note", "n_tes", "Notes")] == [
        2,
        1,
        0,
        0,
        0,
    ]
    assert [held(each) for each in ("", "a\0b", "notes:", "x" * 5000)] == [0] * 4
    assert plugin.purge("notes", "data") == 0
    assert plugin.purge("notes", "all") == 2
    assert plugin.purge("a\0b", "all") == 0
    assert (held("notes"), held("notes.more")) == (0, 1)
