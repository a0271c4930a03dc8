"""What the benchmarks ask for: a plain route, rows of a table, a large file, a call that hangs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from plugin_sdk import ColumnType, Database, NotFound, Plugin, Request, Response, migration, route

HELLO = {"hello": "world", "number": 42, "list": [1, 2, 3], "ok": True}

ROW_COLUMNS: dict[str, ColumnType] = {
    "id": "integer",
    "title": "text",
    "author": "text",
    "score": "real",
    "note": "text",
}

MESSAGE_TYPE = "bench:message"


class BenchPlugin(Plugin):
    """Routes are open, so that no benchmark measures signing in by accident, but the two that
    measure it."""

    def enable(self) -> None:
        self._released = threading.Event()
        rows = self.context.db.table("rows")
        missing = self.context.settings["rows"] - rows.count_where()
        if missing > 0:
            rows.insert_all(sample_row(number) for number in range(1, missing + 1))

    def disable(self) -> None:
        self._released.set()

    @migration("001_rows")
    def create_rows(self, db: Database) -> None:
        db.table("rows").create(ROW_COLUMNS, pk="id")

    @route("GET", "/hello", access="open")
    def hello(self, request: Request) -> Any:
        """A small answer"""
        return HELLO

    @route("GET", "/signed-in")
    def signed_in(self, request: Request) -> Any:
        """The same answer, for whoever is signed in"""
        return HELLO

    @route("GET", "/permitted", permission="MANAGE_SETTINGS")
    def permitted(self, request: Request) -> Any:
        """The same answer, for whoever holds a permission"""
        return HELLO

    @route("GET", "/rows", access="open")
    def list_rows(self, request: Request) -> Any:
        """The first 50 rows"""
        return self.context.db.table("rows").rows_where(order_by="id", limit=50)

    @route("GET", "/rows/{id}", access="open", errors=(404,))
    def get_row(self, request: Request) -> Any:
        """One row"""
        row = self.context.db.table("rows").get(int(request.params["id"]))
        if row is None:
            raise NotFound
        return row

    @route("GET", "/large", access="open")
    def large(self, request: Request) -> Response:
        """A large file"""
        return Response.file(Path(self.context.settings["file"]))

    @route("GET", "/hang", access="open")
    def hang(self, request: Request) -> Any:
        """Hangs until /release or the end"""
        self._released.wait()
        return "released"

    @route("POST", "/broadcast", access="open", body={"type": "integer"})
    def broadcast(self, request: Request) -> Any:
        """Sends so many messages to everybody at /ws"""
        for number in range(request.body):
            self.context.realtime.broadcast({"type": MESSAGE_TYPE, "number": number % 10})
        return request.body


def sample_row(number: int) -> dict[str, Any]:
    """Row ``number`` of the table, about 200 bytes as JSON."""
    return {
        "id": number,
        "title": f"A title of row {number}",
        "author": f"author {number % 97}",
        "score": number / 8,
        "note": "Some words that make the row about as long as rows are. " * 2,
    }


plugin = BenchPlugin
