"""The commands, called as the command line calls them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from builtin_plugins.drops import Drops
from builtin_plugins.drops.documents import Given
from plugin_sdk import StageboxError, hookimpl
from plugin_sdk.testing import FakeCommandIO, FakeContext

from .conftest import R_PUB

BOX = "http://box.example/" + "a" * 43


def run(plugin: Drops, name: str, *arguments: Any, status: int = 0, **options: Any) -> str:
    io = FakeCommandIO()
    (command,) = (each for each in plugin.commands() if each.name == name)
    assert (command.handler(io, *arguments, **options) or 0) == status
    return io.output if status == 0 else io.errors


def test_identities_go_out_and_come_in(plugin: Drops, tmp_path: Path) -> None:
    plugin._documents.replace(
        "synced",
        {
            "drop_servers": [
                {"url": "http://one.example/drops/"},
                {"url": "http://two.example", "active": False},
            ]
        },
    )
    made = json.loads(run(plugin, "identity", "new", "Alice"))
    assert made["alias"] == "Alice"
    assert "private_key" not in made["keys"]
    (box,) = made["drops"]
    assert box.startswith("http://one.example/drops/")
    second = json.loads(run(plugin, "identity", "new", "Bob", drop=(BOX,)))
    assert (second["id"], second["drops"]) == (2, [BOX])
    listed = run(plugin, "identity", "list")
    assert [each["alias"] for each in json.loads(listed)] == ["Alice", "Bob"]
    assert "private_key" not in listed
    exported = json.loads(run(plugin, "identity", "export", "1"))
    assert list(exported) == [
        "alias",
        "email",
        "phone",
        "private_key",
        "public_key",
        "prefixes",
        "drop_urls",
    ]
    before = plugin._documents.read("synced")[0]
    file = tmp_path / "alice.json"
    file.write_text(json.dumps(exported))
    with pytest.raises(StageboxError):  # she is here already
        run(plugin, "identity", "import", str(file))
    assert plugin._documents.read("synced")[0] == before
    plugin._documents.replace("synced", {})
    run(plugin, "identity", "import", str(file))
    (alice,) = plugin._documents.read("synced")[0]["identities"]
    assert alice["keys"] == {name: exported[name] for name in ("private_key", "public_key")}


def test_others_are_told_when_everybody_can_see_it(context: FakeContext, plugin: Drops) -> None:
    seen: list[str] = []

    class Listener:
        @hookimpl
        def drops_settings_changed(self, kind: str, path: str) -> None:
            with ThreadPoolExecutor(1) as elsewhere:  # a connection of its own
                seen.append(elsewhere.submit(plugin._documents.text, "synced").result())

    context.hooks.register("example.listener", Listener())
    run(plugin, "identity", "new", "Alice")
    assert [[each["alias"] for each in json.loads(text)["identities"]] for text in seen] == [
        ["Alice"]
    ]


def test_contacts_go_in_and_out(plugin: Drops, tmp_path: Path) -> None:
    run(plugin, "identity", "new", "Alice")
    form = {"alias": "R", "public_key": R_PUB, "drop_urls": [BOX], "email": "r@example.org"}
    file = tmp_path / "contacts.json"
    file.write_text(json.dumps(form))
    run(plugin, "contact", "import", file=str(file), identity="1")
    assert json.loads(run(plugin, "contact", "export", identity="1")) == {"contacts": [form]}
    for wrong in ({"contacts": 1}, [], {"alias": "x"}, {"contacts": [form, form]}):
        file.write_text(json.dumps(wrong))
        with pytest.raises(StageboxError):
            run(plugin, "contact", "import", file=str(file), identity="1")
    with pytest.raises(StageboxError):
        run(plugin, "contact", "export", identity="7")
    assert len(plugin._documents.read("synced")[0]["contacts"]) == 1


def test_history_and_restore(plugin: Drops) -> None:
    run(plugin, "identity", "new", "Alice")
    plugin._documents.replace("synced", {})
    number = int(run(plugin, "history", kind="synced").split()[0])
    run(plugin, "restore", kind="synced", number=number)
    assert plugin._documents.read("synced")[0]["identities"][0]["alias"] == "Alice"
    with pytest.raises(StageboxError):
        run(plugin, "restore", kind="synced", number=99)


def test_old_identities_come_back(plugin: Drops) -> None:
    alice = json.loads(run(plugin, "identity", "new", "Alice", drop=(BOX,)))
    document, _ = plugin._documents.read("synced")
    private = document["identities"][0]["keys"]["private_key"]
    key = {"private_key": "11" * 32}
    plugin._documents.put("synced", "identities.0.keys", Given(key, typed=True))
    (line,) = run(plugin, "history", kind="identities").splitlines()
    number = int(line.split()[0])
    assert line.split()[-2:] == ["Alice", alice["keys"]["public_key"]]
    assert private not in line
    run(plugin, "restore", kind="identities", number=number)
    identities = plugin._documents.read("synced")[0]["identities"]
    assert [(each["id"], each["alias"]) for each in identities] == [(1, "Alice"), (2, "Alice")]
    assert identities[1]["keys"]["private_key"] == private
    assert identities[1]["drops"] == [BOX]
    with pytest.raises(StageboxError):  # he is there
        run(plugin, "restore", kind="identities", number=number)
    assert plugin._documents.read("synced")[0]["identities"] == identities


def test_entries_show_private_keys_on_request_only(plugin: Drops) -> None:
    run(plugin, "identity", "new", "Alice")
    private = plugin._documents.read("synced")[0]["identities"][0]["keys"]["private_key"]
    plugin._documents.replace("synced", {})
    for kind in ("synced", "identities"):
        number = int(run(plugin, "history", kind=kind).split()[0])
        shown = run(plugin, "show", kind=kind, number=number)
        assert "Alice" in shown
        assert private not in shown
        shown = run(plugin, "show", kind=kind, number=number, private_keys=True)
        assert private in shown
    plugin._documents.replace("settings", {})
    number = int(run(plugin, "history", kind="settings").split()[0])
    assert json.loads(run(plugin, "show", kind="settings", number=number))["module_data"] == {}
    with pytest.raises(StageboxError):
        run(plugin, "show", kind="settings", number=999)


def test_a_round(plugin: Drops) -> None:
    assert json.loads(run(plugin, "poll")) == {"boxes": 0, "failed": 0, "received": 0}
    run(plugin, "identity", "new", "Alice", drop=(BOX,))
    assert json.loads(run(plugin, "poll")) == {"boxes": 1, "failed": 1, "received": 0}


def test_wrong_usage(plugin: Drops) -> None:
    assert "ALIAS" in run(plugin, "identity", "new", status=2)
    assert run(plugin, "identity", "list", "x", status=2)
    assert run(plugin, "identity", "export", "1", drop=("x",), status=2)
    assert run(plugin, "contact", "import", identity="1", status=2)
