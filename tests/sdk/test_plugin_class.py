"""The base class answers the hooks from decorated methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pluggy
import pytest

from plugin_sdk import (
    HOOK_NAMES,
    Plugin,
    Provider,
    Request,
    Route,
    WebSocketRoute,
    command,
    event_handler,
    hookimpl,
    hookspec,
    hookspecs,
    job,
    migration,
    route,
    websocket,
)
from plugin_sdk.hookspecs import PROJECT
from plugin_sdk.testing import FakeContext


class Board(Plugin):
    @route("GET", "/second")
    def second(self, request: Request) -> str:
        return "second"

    @route("GET", "/first")
    def first(self, request: Request) -> str:
        return self.context.plugin_id

    @websocket("/live")
    def live(self, connection: Any) -> None: ...

    @event_handler("rooms.deleted", "rooms.renamed")
    def heard(self, event: Any) -> None: ...

    @job("scan")
    def scan(self, run: Any) -> str:
        return "scanned"

    @command("forget")
    def forget(self, io: Any) -> int:
        return 3

    @migration("002")
    def later(self, db: Any) -> None: ...

    @migration("001")
    def sooner(self, db: Any) -> None: ...


class Louder(Board):
    @route("GET", "/third")
    def third(self, request: Request) -> str:
        return "third"

    @route("GET", "/first-again")
    def first(self, request: Request) -> str:
        return "louder"

    def providers(self) -> Sequence[Provider]:
        return [Provider("song_format", "loud", object())]


@pytest.fixture
def context() -> FakeContext:
    return FakeContext("example.board")


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def test_routes_are_in_order_of_definition_and_bound(context: FakeContext) -> None:
    routes = Board(context).routes()
    assert [each.path for each in routes] == ["/second", "/first", "/live"]
    assert isinstance(routes[2], WebSocketRoute)
    assert isinstance(routes[1], Route)
    assert routes[1].handler(Request()) == "example.board"


def test_two_instances_do_not_meet(context: FakeContext) -> None:
    other = Board(FakeContext("example.other"))
    here = Board(context)
    [_, first, _] = other.routes()
    assert isinstance(first, Route)
    assert first.handler(Request()) == "example.other"
    assert [each.handler for each in here.routes()] != [each.handler for each in other.routes()]


def test_those_of_base_classes_come_first_and_overrides_count_once(context: FakeContext) -> None:
    routes = Louder(context).routes()
    assert [each.path for each in routes] == ["/second", "/first-again", "/live", "/third"]
    assert isinstance(routes[1], Route)
    assert routes[1].handler(Request()) == "louder"


def test_an_override_without_decorator_is_no_route(context: FakeContext) -> None:
    class Quiet(Board):
        def second(self, request: Request) -> str:
            return "quiet"

    assert [each.path for each in Quiet(context).routes()] == ["/first", "/live"]


def test_handlers_jobs_commands_and_migrations_are_bound(context: FakeContext) -> None:
    board = Board(context)
    assert [each.event for each in board.subscriptions()] == ["rooms.deleted", "rooms.renamed"]
    assert [(each.name, each.handler(None)) for each in board.jobs()] == [("scan", "scanned")]  # type: ignore[arg-type]
    assert [(each.name, each.handler(None)) for each in board.commands()] == [("forget", 3)]
    assert [each.name for each in board.migrations()] == ["002", "001"]


def test_a_bare_plugin_contributes_nothing(context: FakeContext) -> None:
    bare = Plugin(context)
    for name in ("routes", "providers", "subscriptions", "jobs", "commands", "pages", "migrations"):
        assert list(getattr(bare, name)()) == []
    for name in ("check", "enable", "disable", "diagnostics"):
        assert getattr(bare, name)() is None
    assert bare.holds("example.other") == {}
    assert bare.purge("example.other", "all") == 0
    assert bare.decide(Request().principal, "x", []) is None
    assert bare.guard(Request()) is None  # type: ignore[func-returns-value]
    assert bare.error_body(Exception(), Request()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", HOOK_NAMES)
@pytest.mark.parametrize("cls", [Plugin, Board, Louder])
def test_pluggy_sees_every_hook_once(context: FakeContext, cls: type[Plugin], name: str) -> None:
    manager = _manager()
    instance = cls(context)
    manager.register(instance)
    implementations = getattr(manager.hook, name).get_hookimpls()
    assert [each.plugin for each in implementations] == [instance]


def test_overrides_are_marked_by_themselves(context: FakeContext) -> None:
    class Own(Plugin):
        enabled = False

        def enable(self) -> None:
            self.enabled = True

        @hookimpl(trylast=True)
        def disable(self) -> None:
            self.enabled = False

    manager = _manager()
    own = Own(context)
    manager.register(own)
    manager.hook.enable()
    assert own.enabled
    manager.hook.disable()
    assert not own.enabled


def test_an_override_with_arguments_of_its_own_is_refused(context: FakeContext) -> None:
    class Wrong(Plugin):
        def decide(self, principal: Any, something: Any) -> bool | None:  # type: ignore[override]
            return None

    with pytest.raises(pluggy.PluginValidationError, match="something"):
        _manager().register(Wrong(context))


def test_a_plugin_answers_hooks_of_others(context: FakeContext) -> None:
    class Hooks:
        @hookspec
        def board_volume(self, sound: str) -> float: ...  # type: ignore[empty-body]

    class Answers(Plugin):
        @hookimpl
        def board_volume(self, sound: str) -> float:
            return 2.0

    manager = _manager()
    manager.add_hookspecs(Hooks)
    manager.register(Answers(context))
    manager.check_pending()
    assert manager.hook.board_volume(sound="boo") == [2.0]


def test_a_hook_may_come_from_a_mixin_that_is_no_plugin() -> None:
    class Careful:
        def check(self) -> list[str]:
            return ["not today"]

    class Mixed(Careful, Plugin):
        pass

    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(Mixed(FakeContext()))
    assert manager.hook.check() == [["not today"]]
