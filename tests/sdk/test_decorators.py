"""What the decorators note on methods."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_sdk import (
    JSON,
    MULTIPART,
    Argument,
    Job,
    JobRun,
    Request,
    Route,
    WebSocketRoute,
    command,
    event_handler,
    job,
    migration,
    route,
    websocket,
)
from plugin_sdk.commands import command_declaration
from plugin_sdk.database import migration_name
from plugin_sdk.events import event_names
from plugin_sdk.jobs import job_declaration
from plugin_sdk.routes import route_declarations


def test_a_route_takes_summary_and_description_from_the_docstring() -> None:
    @route("GET", "/sounds")
    def sounds(self: Any, request: Request) -> None:
        """All sounds.

        The newest
          comes first.
        """

    [declared] = route_declarations(sounds)
    assert isinstance(declared, Route)
    assert declared.summary == "All sounds."
    assert declared.description == "The newest\ncomes first."
    assert (declared.method, declared.path, declared.handler) == ("GET", "/sounds", sounds)
    assert (declared.access, declared.permission, declared.status) == ("signed-in", None, 200)
    assert declared.consumes == (JSON,)


def test_a_route_says_more() -> None:
    @route(
        "POST",
        "/sounds",
        access="open",
        consumes=[JSON, MULTIPART],
        status=201,
        errors=[409],
        summary="Another word",
        tags=["sounds"],
        max_body=10,
        extra={"deprecated": True},
    )
    def add(self: Any, request: Request) -> None:
        """The docstring."""

    [declared] = route_declarations(add)
    assert isinstance(declared, Route)
    assert declared.summary == "Another word"
    assert declared.consumes == (JSON, MULTIPART)
    assert (declared.access, declared.status, declared.errors) == ("open", 201, (409,))
    assert (declared.tags, declared.max_body, declared.extra) == (
        ("sounds",),
        10,
        {"deprecated": True},
    )


def test_a_route_without_a_docstring_has_no_summary() -> None:
    @route("GET", "/a")
    def bare(self: Any, request: Request) -> None: ...

    [declared] = route_declarations(bare)
    assert declared.summary == ""


def test_one_method_may_answer_several_routes() -> None:
    @route("GET", "/b")
    @route("GET", "/a")
    @websocket("/c")
    def many(self: Any, request: Any) -> None: ...

    assert [declared.path for declared in route_declarations(many)] == ["/c", "/a", "/b"]


def test_a_websocket_has_its_limits() -> None:
    @websocket("/live", permission="example.board:edit", max_message=10, ping_interval=5)
    def live(self: Any, connection: Any) -> None:
        """What happens on the board.

        More."""

    [declared] = route_declarations(live)
    assert declared == WebSocketRoute(
        "/live",
        live,
        permission="example.board:edit",
        max_message=10,
        ping_interval=5,
        summary="What happens on the board.",
    )


def test_an_event_handler_hears_several_names() -> None:
    @event_handler("rooms.deleted")
    @event_handler("rooms.renamed", "songs.*")
    def heard(self: Any, event: Any) -> None: ...

    assert event_names(heard) == ("rooms.renamed", "songs.*", "rooms.deleted")


def test_a_job_has_the_words_of_its_declaration() -> None:
    @job("scan", every=60, at_start=True, concurrency=2, attempts=3)
    def scan(self: Any, run: JobRun) -> None:
        """Looks for new files.

        And more."""

    assert job_declaration(scan) == Job("scan", scan, 60, True, 2, 3, "Looks for new files.")


def test_a_command_has_arguments_and_help() -> None:
    name = Argument("name", "Whose")

    @command("forget", name, Argument("--all", "All of them", flag=True), group="board")
    def forget(self: Any, io: Any, **arguments: Any) -> None:
        """Forgets somebody."""

    declared = command_declaration(forget)
    assert declared is not None
    assert (declared.name, declared.group, declared.help) == (
        "forget",
        "board",
        "Forgets somebody.",
    )
    assert [argument.name for argument in declared.arguments] == ["name", "--all"]


def test_a_migration_has_a_name() -> None:
    @migration("001 sounds")
    def sounds(self: Any, db: Any) -> None: ...

    assert migration_name(sounds) == "001 sounds"


@pytest.mark.parametrize(
    "read", [route_declarations, event_names, job_declaration, command_declaration, migration_name]
)
def test_a_plain_method_declares_nothing(read: Any) -> None:
    def plain(self: Any) -> None: ...

    assert not read(plain)
