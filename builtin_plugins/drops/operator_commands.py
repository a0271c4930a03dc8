"""What the operator does at the command line, beside a server that may be running (8.2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from builtin_plugins.drops.documents import BadDocument, Documents
from builtin_plugins.drops.drop_urls import new_drop_id
from builtin_plugins.drops.exchange_forms import (
    contact_form,
    contact_items,
    identity_form,
    identity_item,
    read_file,
)
from builtin_plugins.drops.history import HistoryKind
from builtin_plugins.drops.keys import is_key, new_private_key
from builtin_plugins.drops.poller import moment_text
from builtin_plugins.drops.rounds import Rounds
from plugin_sdk import CommandIO, Invalid, NotFound

__all__ = ["Kept", "OperatorCommands"]

Kept = Literal["settings", "synced", "identities"]
"""What the history holds: documents, and single identities whose private key went."""

_HISTORY: Final[Mapping[Kept, HistoryKind]] = {
    "settings": "settings",
    "synced": "synced",
    "identities": "identity",
}
_WRONG_USAGE: Final = 2
_Document = Mapping[str, Any]


class OperatorCommands:
    """Each returns an exit status."""

    def __init__(self, documents: Documents, rounds: Rounds) -> None:
        self._documents = documents
        self._rounds = rounds

    def identity(self, io: CommandIO, action: str, what: str | None, drops: Sequence[str]) -> int:
        """``new ALIAS``, ``list``, ``export ID``, ``import FILE``."""
        if action == "list":
            if what is not None or drops:
                return _usage(io, "stagebox drops identity list")
            io.print(_dump(list(map(_without_private_key, self._synced()["identities"]))))
            return 0
        if what is None or (drops and action != "new"):
            needed = {"new": "ALIAS [--drop URL]...", "export": "ID", "import": "FILE"}[action]
            return _usage(io, f"stagebox drops identity {action} {needed}")
        if action == "new":
            self._new_identity(io, what, drops)
        elif action == "export":
            io.print(_dump(identity_form(_found(self._synced(), "identities", what))))
        else:
            added = self._add("identities", lambda _: [identity_item(read_file(Path(what)))])
            io.print(f"Added {added[0]['alias']} as identity {added[0]['id']}.")
        return 0

    def contact(self, io: CommandIO, action: str, file: str | None, identity: str) -> int:
        """``import FILE``, ``export``."""
        if (file is None) != (action == "export"):
            return _usage(io, "stagebox drops contact import FILE | export, with --identity ID")
        owner = _found(self._synced(), "identities", identity)["keys"]["public_key"]
        if file is None:
            forms = [
                contact_form(each)
                for each in self._synced()["contacts"]
                if each["my_identity"] == owner and not each["deleted"]
            ]
            io.print(_dump({"contacts": forms}))
            return 0
        added = self._add("contacts", lambda _: contact_items(read_file(Path(file)), owner))
        io.print(f"Added {len(added)} contact(s).")
        return 0

    def poll(self, io: CommandIO) -> None:
        """One round."""
        outcome = self._rounds.run()
        if outcome.answered:
            self._documents.note_round(moment_text(outcome.began_ms))
        shown = {"boxes": outcome.boxes, "failed": outcome.failed, "received": outcome.received}
        io.print(json.dumps(shown))

    def history(self, io: CommandIO, kind: Kept) -> None:
        """Number and time of each entry, newest first; of identities also who they were."""
        history = self._documents.history
        for row in history.entries(_HISTORY[kind]):
            line = f"{row['id']:>6}  replaced at {moment_text(row['replaced_at'])}"
            if kind == "identities":
                item = history.get("identity", row["id"])
                line += f"  {item['alias']}  {item['keys']['public_key']}"
            io.print(line)

    def show(self, io: CommandIO, kind: Kept, number: int, *, private_keys: bool) -> None:
        """An entry as JSON."""
        entry = self._documents.history.get(_HISTORY[kind], number)
        if not private_keys:
            if kind == "identities":
                entry = _without_private_key(entry)
            elif kind == "synced":
                known = [_without_private_key(each) for each in entry["identities"]]
                entry = {**entry, "identities": known}
        io.print(_dump(entry))

    def restore(self, io: CommandIO, kind: Kept, number: int) -> None:
        """Puts a document back; what stands now goes to the history. An identity is added to
        those there are."""
        entry = self._documents.history.get(_HISTORY[kind], number)
        if kind != "identities":
            _fitting(lambda: self._documents.replace(kind, entry))
            io.print(f"Entry {number} of {kind} is back.")
            return
        added = self._add("identities", lambda document: [_with_free_id(entry, document)])
        io.print(f"Added {added[0]['alias']} as identity {added[0]['id']}.")

    def _new_identity(self, io: CommandIO, alias: str, drops: Sequence[str]) -> None:
        def made(document: _Document) -> list[dict[str, Any]]:
            boxes = list(drops) or [
                f"{each['url'].rstrip('/')}/{new_drop_id()}"
                for each in document["drop_servers"]
                if each["active"] and not each["deleted"]
            ]
            return [{"alias": alias, "keys": {"private_key": new_private_key()}, "drops": boxes}]

        added = self._add("identities", made)
        io.print(_dump(_without_private_key(added[0])))

    def _add(
        self, section: str, make: Callable[[_Document], list[dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        """Appends items, all or none; returns them as they are stored."""
        count = 0

        def longer(document: dict[str, Any]) -> list[Any]:
            nonlocal count
            new = make(document)
            count = len(new)
            return [*document[section], *new]

        _fitting(lambda: self._documents.change("synced", section, longer))
        stored: list[dict[str, Any]] = self._synced()[section]
        return stored[len(stored) - count :]

    def _synced(self) -> dict[str, Any]:
        return self._documents.read("synced")[0]


def _found(document: _Document, section: str, who: str) -> Mapping[str, Any]:
    """The live item with that id or key id. Raises NotFound."""
    for item in document[section]:
        key = item["keys"]["public_key"]
        if not item["deleted"] and (who == str(item["id"]) or (is_key(who) and who.lower() == key)):
            found: Mapping[str, Any] = item
            return found
    raise NotFound(f"There is no identity {who}; see `stagebox drops identity list`.")


def _fitting(write: Callable[[], object]) -> None:
    try:
        write()
    except BadDocument as error:
        raise Invalid(f"Nothing was changed: {error}.") from None


def _with_free_id(item: _Document, document: _Document) -> dict[str, Any]:
    """As it was, unless somebody else has its id by now."""
    taken = {each["id"] for each in document["identities"]}
    return {name: value for name, value in item.items() if name != "id" or value not in taken}


def _without_private_key(item: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "keys": {"public_key": item["keys"]["public_key"]}}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _usage(io: CommandIO, text: str) -> int:
    io.error(f"Usage: {text}")
    return _WRONG_USAGE
