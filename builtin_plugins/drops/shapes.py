"""The two settings documents: their keys, kinds, defaults and cross rules (contract, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from builtin_plugins.drops.keys import is_key, public_key_of
from builtin_plugins.drops.schema import (
    ABSENT,
    HIGHEST_INT,
    NOW,
    Check,
    DropUrl,
    Flag,
    Key,
    Many,
    Member,
    Modules,
    Record,
    Section,
    Text,
    Url,
    Whole,
)
from plugin_sdk import Problem

__all__ = ["DOCUMENTS", "SECTIONS", "Kind", "cross_problems", "fresh"]

Kind = Literal["settings", "synced"]

_INT: Final = Whole(HIGHEST_INT)
_LONG: Final = Whole()
_OPAQUE: Final = Member(Text(), "")
_NAME: Final = Member(Text(filled=True))
_ALWAYS: Final = {
    "id": Member(_INT, None),  # the section gives one
    "created": Member(_LONG, NOW),
    "updated": Member(_LONG, 0),
    "deleted": Member(_LONG, 0),
}
_REACHABLE: Final = {"email": Member(Text(), ABSENT), "phone": Member(Text(), ABSENT)}
_Path = tuple[str | int, ...]


class _Renamed(Record):
    """A record of which one member may come under another name."""

    def __init__(self, members: Mapping[str, Member], old: str, new: str) -> None:
        super().__init__(members)
        self._old = old
        self._new = new

    def prepared(self, value: dict[str, Any], path: _Path, look: Check) -> dict[str, Any]:
        if self._old not in value:
            return value
        if self._new in value:
            look.wrong((*path, self._old), f"says the same as {self._new}: send one of them")
        rest = {name: each for name, each in value.items() if name not in (self._old, self._new)}
        return {**rest, self._new: self.moved(value[self._old])}

    def moved(self, value: Any) -> Any:
        return value


class _Contact(_Renamed):
    def moved(self, value: Any) -> Any:
        return {"public_key": value}

    def finished(self, stored: dict[str, Any], path: _Path, look: Check) -> dict[str, Any]:
        if is_key(stored["my_identity"]):
            stored["my_identity"] = stored["my_identity"].lower()
        return stored


class _Pair(Record):
    """The keys of an identity: the public one follows from the private one."""

    def finished(self, stored: dict[str, Any], path: _Path, look: Check) -> dict[str, Any]:
        derived = public_key_of(stored["private_key"])
        if stored.get("public_key", derived) != derived:
            look.wrong((*path, "public_key"), "does not belong to the private key")
        stored["public_key"] = derived
        return stored


_PAIR: Final = _Pair({"private_key": Member(Key()), "public_key": Member(Key(), ABSENT)})
_PUBLIC: Final = Record({"public_key": Member(Key(public=True))})
_BOXES: Final = Member(Many(DropUrl()), [])

_ITEMS: Final[Mapping[str, Record]] = {
    "accounts": Record({**_ALWAYS, "provider": _OPAQUE, "user": _OPAQUE, "auth": _OPAQUE}),
    "contacts": _Contact(
        {
            **_ALWAYS,
            "alias": _NAME,
            "keys": Member(_PUBLIC),
            "my_identity": Member(Text()),
            "drop_urls": _BOXES,
            "module_data": Member(Modules(), {}),
            **_REACHABLE,
        },
        "public_key",
        "keys",
    ),
    "identities": Record(
        {**_ALWAYS, "alias": _NAME, "keys": Member(_PAIR), "drops": _BOXES, **_REACHABLE}
    ),
    "drop_servers": _Renamed(
        {**_ALWAYS, "url": Member(Url()), "auth": _OPAQUE, "active": Member(Flag(), True)},
        "uri",
        "url",
    ),
    "storage_servers": Record({**_ALWAYS, "url": Member(Url()), "auth": _OPAQUE}),
    "storage_volumes": Record(
        {
            **_ALWAYS,
            "storage_server_id": Member(_INT),
            "public_identifier": Member(Text()),
            "token": _OPAQUE,
            "revoke_token": _OPAQUE,
        }
    ),
}

SECTIONS: Final = tuple(_ITEMS)
"""The six arrays of the synced document."""

DOCUMENTS: Final[Mapping[Kind, Record]] = {
    "settings": Record(
        {
            "poll_interval": Member(_LONG, 1000),
            "drop_last_update": Member(Text(), ""),
            "module_data": Member(Modules(), {}),
        }
    ),
    "synced": Record(
        {
            **{name: Member(Section(record), []) for name, record in _ITEMS.items()},
            "module_data": Member(Modules(), {}),
        }
    ),
}


def fresh(kind: Kind) -> dict[str, Any]:
    """The document before anything was written."""
    document: dict[str, Any] = DOCUMENTS[kind].check({}, (), Check(0))
    return document


def cross_problems(kind: Kind, document: Mapping[str, Any]) -> Iterator[Problem]:
    """What fits by itself, but not together. Ids are looked after by their sections."""
    if kind == "synced":
        yield from _dangling(document)
        yield from _doubled_identities(document)
        yield from _doubled_contacts(document)


def _dangling(document: Mapping[str, Any]) -> Iterator[Problem]:
    identities = {each["keys"]["public_key"] for each in document["identities"]}
    for number, contact in enumerate(document["contacts"]):
        if contact["my_identity"] not in identities:
            yield Problem(f"contacts.{number}.my_identity", "is the key id of no identity")
    servers = {each["id"] for each in document["storage_servers"]}
    for number, volume in enumerate(document["storage_volumes"]):
        if volume["storage_server_id"] not in servers:
            path = f"storage_volumes.{number}.storage_server_id"
            yield Problem(path, "is the id of no storage server")


def _doubled_identities(document: Mapping[str, Any]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, identity in enumerate(document["identities"]):
        key = identity["keys"]["public_key"]
        if not identity["deleted"]:
            if key in seen:
                yield Problem(f"identities.{number}.keys", "are those of another identity")
            seen.add(key)


def _doubled_contacts(document: Mapping[str, Any]) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for number, contact in enumerate(document["contacts"]):
        pair = (contact["my_identity"], contact["keys"]["public_key"])
        if not contact["deleted"]:
            if pair in seen:
                path = f"contacts.{number}.keys.public_key"
                yield Problem(path, "belongs to another contact of the same identity")
            seen.add(pair)
