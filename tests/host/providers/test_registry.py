from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.db import HostDatabase
from host.providers import ProviderRegistry, Registered
from host.testing import open_engine
from plugin_sdk import Conflict, Invalid, NotFound, ProviderUnavailable


def offered(*names: str) -> list[Registered]:
    """``type/name`` of a plugin called like the name; the implementation is that text."""
    found = []
    for text in names:
        type_, _, name = text.partition("/")
        found.append(Registered(f"plugin_{name}", type_, name, text))
    return found


@pytest.fixture
def registry(database: HostDatabase) -> ProviderRegistry:
    return ProviderRegistry(database)


def listed(registry: ProviderRegistry, type_: str) -> str:
    """``name`` in order, ``*`` when active, ``!`` when chosen."""
    return " ".join(
        entry.name + "*" * entry.active + "!" * entry.chosen
        for entry in registry.listing().get(type_, ())
    )


# What is there


def test_storage_and_metadata_are_always_listed(registry: ProviderRegistry) -> None:
    assert registry.listing() == {"storage": [], "metadata": []}
    registry.publish(offered("zoo/z", "colour/red"))
    assert list(registry.listing()) == ["storage", "metadata", "colour", "zoo"]
    assert registry.entries() == registry.entries("colour") + registry.entries("zoo")  # type: ignore[operator]
    (entry,) = registry.entries("colour")
    assert (entry.type, entry.name, entry.plugin_id) == ("colour", "red", "plugin_red")
    assert registry.entries("none") == []


def test_all_are_replaced_at_once(registry: ProviderRegistry) -> None:
    registry.publish(offered("colour/red", "colour/blue"))
    registry.publish(offered("colour/blue", "shape/round"))
    assert listed(registry, "colour") == "blue*!"
    assert registry.get("shape", "round") == "shape/round"
    with pytest.raises(ProviderUnavailable, match="colour provider red"):
        registry.get("colour", "red")


def test_one_name_twice_is_a_conflict_and_changes_nothing(registry: ProviderRegistry) -> None:
    registry.publish(offered("colour/red"))
    twice = [*offered("colour/blue"), Registered("other", "colour", "blue", 1)]
    with pytest.raises(Conflict, match="of plugin other has the name of one of plugin plugin_blue") as caught:  # fmt: skip  # noqa: E501
        registry.publish(twice)
    assert caught.value.code == "PROVIDER_CONFLICT"
    assert listed(registry, "colour") == "red*!"
    registry.publish(offered("colour/red", "shape/red"))


# Single types


def test_without_a_choice_the_first_is_active(registry: ProviderRegistry) -> None:
    registry.publish(offered("colour/red", "colour/blue"))
    assert listed(registry, "colour") == "red*! blue"
    assert registry.active("colour") == "colour/red"
    assert registry.owner_of_active("colour") == "plugin_red"
    assert registry.chain("colour") == ["colour/red", "colour/blue"]


def test_nothing_is_active_where_nothing_is(registry: ProviderRegistry) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        registry.active("colour")
    assert (caught.value.status, caught.value.code) == (503, "PROVIDER_UNAVAILABLE")
    assert registry.owner_of_active("colour") is None
    assert registry.chain("colour") == []


def test_a_choice_is_active_at_once_and_after_a_restart(tmp_path: Path) -> None:
    for attempt in range(2):
        engine = open_engine(tmp_path, "normal")
        registry = ProviderRegistry(engine.open("host"))
        registry.publish(offered("colour/red", "colour/blue"))
        if not attempt:
            registry.choose("colour", "blue")
        assert listed(registry, "colour") == "red blue*!"
        assert registry.chain("colour") == ["colour/blue", "colour/red"]
        engine.close()


def test_a_single_type_falls_back_and_returns(registry: ProviderRegistry) -> None:
    everybody = offered("colour/red", "colour/blue", "colour/green")
    registry.publish(everybody)
    registry.choose("colour", "blue")
    registry.publish(offered("colour/red", "colour/green"))
    assert listed(registry, "colour") == "red* green"
    registry.publish(everybody)
    assert listed(registry, "colour") == "red blue*! green"


def test_who_was_first_is_first_again_when_it_comes_back(registry: ProviderRegistry) -> None:
    registry.publish(offered("colour/red", "colour/blue"))
    registry.publish(offered("colour/blue"))
    assert listed(registry, "colour") == "blue*!"
    registry.publish(offered("colour/blue", "colour/red"))  # the later start
    assert listed(registry, "colour") == "red*! blue"


def test_only_what_is_registered_can_be_chosen(registry: ProviderRegistry) -> None:
    registry.publish(offered("colour/red", "auth/pins"))
    for type_, name in (("colour", "blue"), ("shape", "red"), ("storage", "local"), ("", "")):
        with pytest.raises(NotFound):
            registry.choose(type_, name)
    with pytest.raises(Invalid, match="side by side"):
        registry.choose("auth", "pins")
    assert listed(registry, "colour") == "red*!"


# Storage


def test_storage_is_local_by_default(registry: ProviderRegistry) -> None:
    registry.publish(offered("storage/s3", "storage/local"))
    assert listed(registry, "storage") == "s3 local*!"
    assert registry.owner_of_active("storage") == "plugin_local"


def test_storage_never_falls_back(registry: ProviderRegistry) -> None:
    registry.publish(offered("storage/s3"))
    assert listed(registry, "storage") == "s3"
    with pytest.raises(ProviderUnavailable, match="local is chosen"):
        registry.active("storage")
    registry.publish(offered("storage/local", "storage/s3"))
    registry.choose("storage", "s3")
    registry.publish(offered("storage/local"))
    assert listed(registry, "storage") == "local"
    assert registry.owner_of_active("storage") is None
    with pytest.raises(ProviderUnavailable, match="s3 is chosen"):
        registry.active("storage")
    registry.publish(offered("storage/local", "storage/s3"))
    assert registry.active("storage") == "storage/s3"


# The chain


def test_a_chain_is_asked_in_order(registry: ProviderRegistry) -> None:
    registry.publish(offered("metadata/a", "metadata/b", "metadata/c"))
    assert listed(registry, "metadata") == "a*! b* c*"
    assert registry.active("metadata") == "metadata/a"
    registry.choose("metadata", "c")
    assert listed(registry, "metadata") == "c*! a* b*"
    assert registry.chain("metadata") == ["metadata/c", "metadata/a", "metadata/b"]
    registry.choose("metadata", "b")
    assert listed(registry, "metadata") == "b*! c* a*"
    registry.choose("metadata", "b")
    assert listed(registry, "metadata") == "b*! c* a*"


def test_a_link_drops_out_and_returns_to_its_place(registry: ProviderRegistry) -> None:
    everybody = offered("metadata/a", "metadata/b", "metadata/c")
    registry.publish(everybody)
    registry.choose("metadata", "c")
    registry.publish(offered("metadata/b", "metadata/c"))
    assert listed(registry, "metadata") == "c*! b*"
    registry.choose("metadata", "b")
    registry.publish(offered("metadata/b", "metadata/c", "metadata/a", "metadata/new"))
    assert listed(registry, "metadata") == "b*! c* a* new*"


def test_the_order_survives_a_restart(tmp_path: Path) -> None:
    for attempt in range(2):
        engine = open_engine(tmp_path, "normal")
        registry = ProviderRegistry(engine.open("host"))
        registry.publish(offered("metadata/a", "metadata/b", "metadata/c"))
        if not attempt:
            registry.choose("metadata", "b")
            registry.choose("metadata", "c")
        assert listed(registry, "metadata") == "c*! b* a*"
        engine.close()


# Side by side


@pytest.mark.parametrize("type_", ["auth", "song_format"])
def test_some_types_stand_side_by_side(registry: ProviderRegistry, type_: str) -> None:
    registry.publish(offered(f"{type_}/b", f"{type_}/a"))
    assert listed(registry, type_) == "b* a*"
    assert registry.chain(type_) == [f"{type_}/b", f"{type_}/a"]


# Several processes, several threads


def test_another_process_is_followed(registry: ProviderRegistry, tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "data", "normal")
    other = ProviderRegistry(engine.open("host"))
    everybody = offered("colour/red", "colour/blue", "metadata/a", "metadata/b")
    registry.publish(everybody)
    other.publish(everybody)
    registry.choose("colour", "blue")
    other.choose("metadata", "b")
    assert listed(registry, "metadata") == "a*! b*"
    registry.reload()
    other.reload()
    for each in (registry, other):
        assert listed(each, "colour") == "red blue*!"
        assert listed(each, "metadata") == "b*! a*"
    engine.close()


def test_a_choice_that_is_rolled_back_is_none(
    registry: ProviderRegistry, database: HostDatabase
) -> None:
    registry.publish(offered("colour/red", "colour/blue"))

    def fail() -> None:
        with database.transaction():
            registry.choose("colour", "blue")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert listed(registry, "colour") == "red*! blue"
    registry.reload()
    assert listed(registry, "colour") == "red*! blue"


def test_readers_always_see_a_whole(registry: ProviderRegistry) -> None:
    one, two = offered("colour/red", "colour/blue"), offered("colour/blue", "colour/red")
    registry.publish(one)
    stop, seen = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            seen.append((registry.active("colour"), len(registry.chain("colour"))))

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(20):
        registry.publish(two if number % 2 else one)
        registry.choose("colour", "blue" if number % 2 else "red")
    stop.set()
    thread.join()
    assert set(seen) <= {("colour/red", 2), ("colour/blue", 2)}


_names = st.sampled_from("abcd")
_steps = st.lists(
    st.tuples(st.just("choose"), _names)
    | st.tuples(st.just("publish"), st.permutations("abcd").map(tuple), st.integers(0, 4)),
    max_size=12,
)


@settings(max_examples=60)
@given(type_=st.sampled_from(["storage", "colour", "metadata"]), steps=_steps)
def test_whatever_happens_the_rules_hold(
    database: HostDatabase, type_: str, steps: list[tuple[Any, ...]]
) -> None:
    if database.table("_stagebox_provider_choices").exists():
        database.table("_stagebox_provider_choices").delete_where()
    registry = ProviderRegistry(database)
    present: set[str] = set()
    chosen: str | None = None
    for step in steps:
        if step[0] == "publish":
            present = set(step[1][: step[2]])
            registry.publish(offered(*(f"{type_}/{name}" for name in step[1][: step[2]])))
        elif step[1] in present:
            registry.choose(type_, step[1])
            chosen = step[1]
        else:
            with pytest.raises(NotFound):
                registry.choose(type_, step[1])
    entries = registry.listing().get(type_, ())
    active = [entry.name for entry in entries if entry.active]
    assert {entry.name for entry in entries} == present
    if type_ == "metadata":
        assert set(active) == present
        assert chosen not in present or active[0] == chosen
    elif type_ == "storage":
        assert active == ([chosen] if chosen in present else [])
    else:
        assert len(active) == bool(present)
        assert chosen not in present or active == [chosen]
    assert all(entry.name == chosen for entry in entries if entry.chosen and chosen in present)
