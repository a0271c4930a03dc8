"""Drops: settings documents, and encrypted messages through drop boxes. See the contract of the
same name; the work is in the other modules of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from builtin_plugins.drops import hookspecs
from builtin_plugins.drops.acknowledging import JOB as ACKNOWLEDGE
from builtin_plugins.drops.acknowledging import Acknowledgements
from builtin_plugins.drops.answers import ALLOWED, empty, worded
from builtin_plugins.drops.callers import check_caller, check_path
from builtin_plugins.drops.cursors import Cursors
from builtin_plugins.drops.directory import Directories
from builtin_plugins.drops.documents import Documents
from builtin_plugins.drops.drop_routes import DropRoutes
from builtin_plugins.drops.inbox import Inbox
from builtin_plugins.drops.operator_commands import Kept, OperatorCommands
from builtin_plugins.drops.parameters import check_size
from builtin_plugins.drops.poller import Poller
from builtin_plugins.drops.receiving import Receiver
from builtin_plugins.drops.rounds import Rounds
from builtin_plugins.drops.sending import Sender
from builtin_plugins.drops.settings_routes import SettingsRoutes
from builtin_plugins.drops.shapes import Kind
from builtin_plugins.drops.tables import (
    create_tables,
    create_turns,
    create_vanished,
    quote_acknowledge_ids,
)
from builtin_plugins.drops.turns import Turn
from plugin_sdk import (
    Argument,
    CommandIO,
    Database,
    JobRun,
    Plugin,
    Request,
    RequestFilter,
    Response,
    StageboxError,
    Verdict,
    command,
    job,
    migration,
    route,
)
from plugin_sdk.management import HostInfo

__all__ = ["Drops", "plugin"]

_SETTINGS: Final = ("settings documents",)
_MESSAGES: Final = ("drop messages",)
_WRITE_ERRORS: Final = (400, 401, 403, 405, 413, 415)
_KEPT: Final = Argument("kind", "What", choices=("settings", "synced", "identities"))
_ENTRY: Final = Argument("number", "Which entry of the history", type="integer")


class Drops(Plugin):
    hookspecs = (hookspecs,)

    _documents: Documents
    _local: SettingsRoutes
    _synced: SettingsRoutes
    _cursors: Cursors
    _directories: Directories
    _inbox: Inbox
    _acknowledgements: Acknowledgements
    _rounds: Rounds
    _poller: Poller
    _drop: DropRoutes
    _operator: OperatorCommands

    @migration("001-documents-and-inbox")
    def create_tables(self, db: Database) -> None:
        create_tables(db)

    @migration("002-turns")
    def create_turns(self, db: Database) -> None:
        create_turns(db)

    @migration("003-vanished")
    def create_vanished(self, db: Database) -> None:
        create_vanished(db)

    @migration("004-acknowledge-ids")
    def quote_acknowledge_ids(self, db: Database) -> None:
        quote_acknowledge_ids(db)

    def enable(self) -> None:
        context = self.context
        settings, clock, log = context.settings, context.clock, context.log
        self._cursors = cursors = Cursors(context.db)
        self._inbox = inbox = Inbox(context.db, clock, settings)
        followers = (cursors.follow, inbox.follow)
        self._documents = documents = Documents(context, followers, self._changed)
        self._local = SettingsRoutes("settings", documents)
        self._synced = SettingsRoutes("synced", documents)
        self._directories = directories = Directories(documents)
        sender = Sender(context.http, settings)
        self._acknowledgements = waiting = Acknowledgements(context, directories, sender)
        receiver = Receiver(context, documents, directories, cursors, inbox, waiting)
        self._rounds = rounds = Rounds(receiver, settings, clock, log)
        turn = Turn(context.db, clock, "poll", self._life)
        self._poller = poller = Poller(documents, rounds, waiting, turn, clock, log)
        self._drop = DropRoutes(context, directories, inbox, rounds, sender, poller.note)
        self._operator = OperatorCommands(documents, rounds)
        settings.on_change(lambda _names: poller.wake())

    def disable(self) -> None:
        self._rounds.close()
        self._poller.stop()

    def filters(self) -> Sequence[RequestFilter]:
        return [RequestFilter(tuple(ALLOWED), self._before_all, identify=True)]

    def guard(self, request: Request) -> None:
        check_caller(request, self.context.settings)
        check_path(request)

    # Documents

    @route("GET", "/settings", access="open", errors=(401, 403), tags=_SETTINGS)
    def get_settings(self, request: Request) -> Response:
        """The local settings"""
        return self._local.get()

    @route("PUT", "/settings", access="open", errors=_WRITE_ERRORS, tags=_SETTINGS)
    def put_settings(self, request: Request) -> Response:
        """Set one key of the local settings"""
        return self._local.put(request)

    @route("POST", "/settings", access="open", errors=_WRITE_ERRORS, tags=_SETTINGS)
    def post_settings(self, request: Request) -> Response:
        """Replace the local settings"""
        return self._local.post(request)

    @route("GET", "/synced", access="open", errors=(401, 403), tags=_SETTINGS)
    def get_synced(self, request: Request) -> Response:
        """The synced settings, private keys included"""
        return self._synced.get()

    @route("PUT", "/synced", access="open", errors=_WRITE_ERRORS, tags=_SETTINGS)
    def put_synced(self, request: Request) -> Response:
        """Set one key of the synced settings"""
        return self._synced.put(request)

    @route("POST", "/synced", access="open", errors=_WRITE_ERRORS, tags=_SETTINGS)
    def post_synced(self, request: Request) -> Response:
        """Replace the synced settings"""
        return self._synced.post(request)

    # Messages

    @route("GET", "/drop", access="open", errors=(204, 401, 403), tags=_MESSAGES)
    def get_drop(self, request: Request) -> Response:
        """New messages from all boxes, each once; with ?all=true also older ones

        204 when there is nothing new. HEAD tells whether there is, and takes nothing."""
        return self._drop.get(request)

    @route(
        "POST",
        "/drop",
        access="open",
        status=201,
        errors=(400, 401, 403, 404, 413, 415, 502),
        tags=_MESSAGES,
    )
    def post_drop(self, request: Request) -> Response:
        """Send a message to contacts"""
        return self._drop.post(request)

    @job("poll", every=30.0, at_start=True)
    def poll(self, run: JobRun) -> None:
        """Sees to it that a process looks for messages in the background"""
        self._poller.start()

    @job(ACKNOWLEDGE)
    def acknowledge(self, run: JobRun) -> int:
        """Tells senders who asked that their messages arrived"""
        return self._acknowledgements.send(lambda: not run.cancelled)

    @job("tidy", every=3600.0, at_start=True)
    def tidy(self, run: JobRun) -> int:
        """Removes messages whose time is over"""
        return self._inbox.prune()

    # Commands

    @command(
        "identity",
        Argument("action", "What to do", choices=("new", "list", "export", "import")),
        Argument("what", "An alias, an id, or a file", required=False),
        Argument("--drop", "A box that a new identity reads", required=False, multiple=True),
    )
    def identity(
        self, io: CommandIO, action: str, what: str | None = None, drop: Sequence[str] = ()
    ) -> int:
        """Make an identity (new ALIAS), list them, hand one out with its private key
        (export ID), or take one in (import FILE)."""
        return self._operator.identity(io, action, what, drop)

    @command(
        "contact",
        Argument("action", "What to do", choices=("import", "export")),
        Argument("file", "Where contacts are taken from", required=False),
        Argument("--identity", "The id or key id of the identity whose contacts they are"),
    )
    def contact(self, io: CommandIO, action: str, identity: str, file: str | None = None) -> int:
        """Take in contacts of an identity (import FILE), or hand them out (export)."""
        return self._operator.contact(io, action, file, identity)

    @command("poll")
    def poll_now(self, io: CommandIO) -> None:
        """Look into all boxes once."""
        self._operator.poll(io)

    @command("history", _KEPT)
    def history(self, io: CommandIO, kind: Kept) -> None:
        """List the documents that were replaced, or the identities whose private key is not
        there any more."""
        self._operator.history(io, kind)

    @command(
        "show",
        _KEPT,
        _ENTRY,
        Argument("--private-keys", "Show private keys too", required=False, flag=True),
    )
    def show(self, io: CommandIO, kind: Kept, number: int, private_keys: bool = False) -> None:
        """Print an entry of the history."""
        self._operator.show(io, kind, number, private_keys=private_keys)

    @command("restore", _KEPT, _ENTRY)
    def restore(self, io: CommandIO, kind: Kept, number: int) -> None:
        """Put a document of the history back, or add an identity of it."""
        self._operator.restore(io, kind, number)

    def diagnostics(self) -> Mapping[str, Any]:
        directory = self._directories.present()
        return {
            "identities": len(directory.identities),
            "contacts": len(directory.contacts),
            "boxes": len(directory.boxes),
            **self._inbox.statistics(),
        }

    def error_body(self, error: StageboxError, request: Request) -> Response:
        """The host's own refusals, too, have the Content-Type of this contract (2.3)."""
        return worded(error)

    def _before_all(self, request: Request) -> Verdict:
        """Who may call comes before everything, also before a body that is too large."""
        check_caller(request, self.context.settings)
        check_size(request)
        if request.method == "OPTIONS" and request.path in ALLOWED:
            return empty(200, {"Allow": ALLOWED[request.path]})
        return None

    def _life(self) -> str:
        info: HostInfo = self.context.services.get("host.info")
        return info.life

    def _changed(self, kind: Kind, path: str) -> None:
        if kind == "synced" or path in ("", "poll_interval"):
            self._poller.wake()
        self.context.hooks.call("drops_settings_changed", kind=kind, path=path)


plugin = Drops
