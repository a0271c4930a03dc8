"""A drop server: boxes of opaque messages for anybody who knows their ids (section 9 of the
contract of drops). Nobody signs in, nobody can list boxes or delete messages."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from builtin_plugins.drop_server.answers import box_answer, conditional, nothing
from builtin_plugins.drop_server.messages import Messages
from builtin_plugins.drop_server.tables import create_tables
from plugin_sdk import (
    CommandIO,
    Database,
    Invalid,
    JobRun,
    NotFound,
    Plugin,
    Request,
    RequestFilter,
    Response,
    Route,
    TooLarge,
    Verdict,
    WebSocketRoute,
    command,
    dump_json,
    job,
    migration,
    route,
)

__all__ = ["DropServer", "plugin"]

_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_ID_LENGTH: Final = 43
_CLIENT: Final = "Client Qabel"
_TAGS: Final = ("drop server",)


class DropServer(Plugin):
    _messages: Messages

    @migration("001-messages")
    def create_tables(self, db: Database) -> None:
        create_tables(db)

    def enable(self) -> None:
        context = self.context
        self._messages = Messages(context.db, context.clock, context.settings)

    def filters(self) -> Sequence[RequestFilter]:
        return [RequestFilter(("/drops",), self._before_body)]

    def routes(self) -> Sequence[Route | WebSocketRoute]:
        return [
            replace(each, max_body=self._most)
            if isinstance(each, Route) and each.method == "POST"
            else each
            for each in super().routes()
        ]

    @route(
        "GET",
        "/drops/{id}",
        access="open",
        errors=(304, 400, 404),
        tags=_TAGS,
        secret_path=True,
    )
    def read(self, request: Request) -> Response:
        """The messages of a box, oldest first, as multipart/mixed

        204 for an empty box. With X-Qabel-New-Since or If-Modified-Since the newer ones only, or
        304."""
        box = _box(request.params["id"])
        condition = conditional(request.headers)
        span = self._messages.span(box, condition)
        if span is None:
            return nothing(condition)
        return box_answer(span, () if request.method == "HEAD" else self._messages.read(span))

    @route(
        "POST",
        "/drops/{id}",
        access="open",
        errors=(400, 404, 413),
        tags=_TAGS,
        secret_path=True,
    )
    def post(self, request: Request) -> Response:
        """Put a message into a box; the body is the message"""
        box = _box(request.params["id"])
        self._check_client(request)
        self._messages.add(box, _message(request, self._most()))
        return Response.empty(200).with_headers(**{"Cache-Control": "no-store"})

    @job("prune", every=900.0, at_start=True)
    def prune(self, run: JobRun) -> int:
        """Removes messages whose time is over"""
        return self._messages.prune(lambda: not run.cancelled)

    @command("new-url")
    def new_url(self, io: CommandIO) -> None:
        """Print a fresh DropURL on this server."""
        io.print(f"{self._base()}/drops/{_new_id()}")

    @command("stats")
    def show_statistics(self, io: CommandIO) -> None:
        """Print how many boxes, messages and bytes there are."""
        io.print(dump_json(self._messages.statistics()))

    @command("prune")
    def prune_now(self, io: CommandIO) -> None:
        """Remove messages whose time is over; prints how many that were."""
        io.print(str(self._messages.prune()))

    def diagnostics(self) -> dict[str, int]:
        return self._messages.statistics()

    def _most(self) -> int:
        most: int = self.context.settings["maxMessageBytes"]
        return most

    def _before_body(self, request: Request) -> Verdict:
        """What is too large is refused unread. The contract's order puts other faults first, and
        all of them can be seen in the head."""
        if request.method == "POST":
            _box(request.path.removeprefix("/drops/"))
            self._check_client(request)
        return None

    def _check_client(self, request: Request) -> None:
        given = request.headers.get("authorization")
        if self.context.settings["requireClientHeader"] and given != _CLIENT:
            raise Invalid(
                f'Messages are taken with the header "Authorization: {_CLIENT}" only.',
                code="BAD_AUTHORIZATION",
            )

    def _base(self) -> str:
        public: str = self.context.settings["publicUrl"]
        if public:
            return public.rstrip("/")
        listeners = self.context.services.get("host.info").listeners()
        if not listeners:
            raise NotFound(
                "It is not known where this host listens: start it once, or set publicUrl."
            )
        return str(listeners[0]).rstrip("/")


def _box(box: str) -> str:
    """An id as it is. Raises NotFound for what can be no id at all, Invalid for one of another
    length."""
    if not _ID.fullmatch(box):
        raise NotFound
    if len(box) != _ID_LENGTH:
        raise Invalid(f"The id of a box has {_ID_LENGTH} characters.", code="INVALID_DROP_ID")
    return box


def _message(request: Request, most: int) -> bytes:
    """The body. Raises Invalid for none, TooLarge; a body that says it is too long is not read."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:18]) > most:
        raise _too_large(most)
    body = request.read()
    if not body:
        raise Invalid("The body is the message, and it is empty.", code="NO_MESSAGE")
    if len(body) > most:
        raise _too_large(most)
    return body


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"A message may have at most {most} bytes.")


def _new_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


plugin = DropServer
