"""`stagebox why` tells whose grant, which group and which plugin a decision follows from."""

from __future__ import annotations

import pytest

from plugin_sdk import Invalid, NotFound

DECIDING = """
    from plugin_sdk import Plugin

    class plugin(Plugin):
        def decide(self, principal, permission, resources):
            verdict = {"UPLOAD": False, "EDIT_TRACKS": True}.get(permission)
            if permission == "DELETE_TRACKS":
                raise RuntimeError("no idea")
            return verdict
"""


class Paper:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def print(self, text: str = "") -> None:
        self.lines.append(text)


@pytest.fixture
def why(people):
    def ask(name, permission):
        paper = Paper()
        people.host.plugin("accounts").why(paper, name, permission)
        return paper.lines

    return ask


def test_a_group_grants_it(people, why):
    people.add("Ann", "UPLOAD")
    assert why("ann", "upload") == [
        "Ann may: UPLOAD",
        "It is a permission of the host: Upload files.",
        'The group "group of Ann" grants UPLOAD.',
    ]


def test_no_group_grants_it(people, why):
    people.add("Ann")
    people.group("Editors", permissions=["EDIT_TRACKS"])
    assert why("Ann", "EDIT_TRACKS")[0] == "Ann may not: EDIT_TRACKS"
    assert why("Ann", "EDIT_TRACKS")[-1] == (
        'No group of this profile grants it. These groups would: "admin", "Editors".'
    )
    assert why("Ann", "some:thing")[-1].endswith("No other group does either.")


def test_an_administrator_may_everything(why):
    lines = why("Admin", "Nobody:knows")
    assert lines[0] == "Admin may: nobody:knows"
    assert "nothing asks for it" in lines[1]
    assert "grants ADMIN, which includes all permissions" in lines[2]


def test_a_plugin_has_the_last_word_and_is_named(people, why, write_plugin):
    people.add("Ann", "UPLOAD")
    people.host.host.plugins.install(write_plugin("judge", DECIDING), accept_additions=True)
    people.host.enable("judge")
    denied = why("Ann", "UPLOAD")
    assert denied[0] == "Ann may not: UPLOAD"
    assert 'The group "group of Ann" grants UPLOAD.' in denied
    assert denied[-1] == "The plugin judge denies it, whatever was granted."
    allowed = why("Ann", "EDIT_TRACKS")
    assert allowed[0] == "Ann may: EDIT_TRACKS"
    assert allowed[-1] == "The plugin judge allows it, whatever was granted."
    assert why("Ann", "MANAGE_SETTINGS")[-1] == "The plugin judge leaves it to the others."
    failed = why("Ann", "DELETE_TRACKS")
    assert failed[0] == "Ann may not: DELETE_TRACKS"
    assert failed[-1] == "The plugin judge failed to decide, which denies it: no idea"


def test_a_locked_profile_is_told(people, why):
    number, _ = people.add("Ann")
    people.host.patch(f"/api/profiles/{number}", json={"locked": True}, token=people.admin)
    assert "cannot sign in" in why("Ann", "UPLOAD")[1]


def test_what_does_not_exist_is_told(people, why):
    with pytest.raises(NotFound, match="accounts list"):
        why("Nobody", "UPLOAD")
    with pytest.raises(Invalid, match='no name of a permission; did you mean "UPLOAD"'):
        why("Admin", "up load")
    with pytest.raises(Invalid, match=r'no name of a permission: UPLOAD, or "ada.notes:write"\.'):
        why("Admin", "everything")


def test_a_permission_that_is_nearly_one_is_named(people, why, write_plugin):
    edit = {"name": "judge:edit", "description": "Judge"}
    judge = write_plugin("judge", DECIDING, permissions=[edit])
    people.host.host.plugins.install(judge, accept_additions=True)
    people.host.enable("judge")
    assert why("Admin", "judge:edt")[1].endswith('Did you mean "judge:edit"?')
