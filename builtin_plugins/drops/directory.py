"""Who is who: the live identities, contacts and boxes of a synced document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from builtin_plugins.drops.documents import Documents
from builtin_plugins.drops.drop_urls import is_below
from builtin_plugins.drops.sealing import Opener, Recipient

__all__ = ["Box", "Contact", "Directories", "Directory", "Identity", "readers"]


@dataclass(frozen=True, slots=True)
class Identity:
    """``key`` is the key id."""

    id: int
    alias: str
    key: str
    private_key: bytes = field(repr=False)
    drops: tuple[str, ...]

    def shown(self) -> dict[str, Any]:
        return {"id": self.id, "alias": self.alias, "public_key": self.key}


@dataclass(frozen=True, slots=True)
class Contact:
    """``owner`` is the key id of the identity that knows this contact."""

    id: int
    alias: str
    key: str
    owner: str
    drop_urls: tuple[str, ...]

    def shown(self) -> dict[str, Any]:
        return {"id": self.id, "alias": self.alias, "public_key": self.key}


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A box with those who read it."""

    url: str
    opener: Opener[Identity]


class Directory:
    """One version of the synced document. Private keys are made ready once."""

    def __init__(self, document: Mapping[str, Any], version: int) -> None:
        self.version = version
        self.identities = {
            each["keys"]["public_key"]: _identity(each)
            for each in document["identities"]
            if not each["deleted"]
        }
        live = (_contact(each) for each in document["contacts"] if not each["deleted"])
        self.contacts = {(each.owner, each.key): each for each in live}
        self.boxes = self._boxes(document)

    def contact(self, identity: Identity, key: str) -> Contact | None:
        """The contact of an identity with that key id."""
        return self.contacts.get((identity.key, key))

    def _boxes(self, document: Mapping[str, Any]) -> list[Box]:
        recipients: dict[str, list[Recipient[Identity]]] = {}
        asleep = _inactive(document)
        for identity in self.identities.values():
            recipient = Recipient.of(identity.private_key, identity)
            for url in dict.fromkeys(identity.drops):
                if not any(is_below(url, server) for server in asleep):
                    recipients.setdefault(url, []).append(recipient)
        return [Box(url, Opener(who)) for url, who in recipients.items()]


class Directories:
    """The present directory, made anew only when the document is another one."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._known: Directory | None = None

    def present(self) -> Directory:
        known = self._known
        if known is None or known.version != self._documents.version("synced"):
            known = self._known = Directory(*self._documents.read("synced"))
        return known


def readers(document: Mapping[str, Any]) -> dict[str, set[tuple[str, str]]]:
    """For each box the pairs of (identity, contact) whose messages are taken out of it, and
    (identity, "") for the identity itself."""
    known: dict[str, set[tuple[str, str]]] = {}
    for contact in document["contacts"]:
        if not contact["deleted"]:
            owner = contact["my_identity"]
            known.setdefault(owner, set()).add((owner, contact["keys"]["public_key"]))
    found: dict[str, set[tuple[str, str]]] = {}
    for identity in document["identities"]:
        if not identity["deleted"]:
            key = identity["keys"]["public_key"]
            for url in identity["drops"]:
                found.setdefault(url, set()).update({(key, "")}, known.get(key, ()))
    return found


def _inactive(document: Mapping[str, Any]) -> Sequence[str]:
    return [
        each["url"]
        for each in document["drop_servers"]
        if not each["deleted"] and not each["active"]
    ]


def _identity(item: Mapping[str, Any]) -> Identity:
    keys = item["keys"]
    return Identity(
        item["id"],
        item["alias"],
        keys["public_key"],
        bytes.fromhex(keys["private_key"]),
        tuple(item["drops"]),
    )


def _contact(item: Mapping[str, Any]) -> Contact:
    return Contact(
        item["id"],
        item["alias"],
        item["keys"]["public_key"],
        item["my_identity"],
        tuple(item["drop_urls"]),
    )
