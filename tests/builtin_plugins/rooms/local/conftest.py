"""A host with somebody who may read, and imports as the command line makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest

from host.testing import TestHost
from plugin_sdk import (
    AuthProvider,
    HttpReply,
    Login,
    Plugin,
    Principal,
    Provider,
    Request,
    StageboxError,
)
from plugin_sdk.testing import FakeCommandIO

TOKEN = "reader-token"
PERSON = Principal(
    id="user-alice-01@https://signal.example.com",
    name="Alice",
    provider="tester",
    user={"id": "user-alice-01", "username": "alice", "displayName": "Alice"},
)


class Doorkeeper(AuthProvider):
    """Knows one token."""

    name: ClassVar = "tester"

    def claims(self, body: Mapping[str, Any]) -> bool:
        return False

    def login(self, body: Mapping[str, Any], request: Request) -> Login:
        raise AssertionError("it claims no body")

    def identify(self, token: str) -> Principal | None:
        return PERSON if token == TOKEN else None

    def logout(self, token: str) -> bool:
        return False


class Tester(Plugin):
    manifest: ClassVar = {
        "id": "example.tester",
        "providers": [{"type": "auth", "name": "tester"}],
    }

    def providers(self) -> list[Provider]:
        return [Provider("auth", "tester", Doorkeeper())]


@dataclass
class Local:
    """The read face of one host."""

    host: TestHost
    folder: Path
    clock_file: Path
    count: int = 0

    @property
    def plugin(self) -> Any:
        return self.host.plugin("rooms")

    @property
    def store(self) -> Any:
        return self.plugin.store

    @property
    def texts(self) -> Any:
        return self.plugin.context.services.get("plugin_data.store")

    def ask(self, *path: str, query: str = "", token: str | None = TOKEN) -> HttpReply:
        """GET of a path below /api/ that is given by its segments."""
        address = "/api/" + "/".join(quote(part, safe="") for part in path)
        return self.host.get(address + (f"?{query}" if query else ""), token=token)

    def get(self, *path: str, query: str = "") -> Any:
        """The body of an answer 200."""
        answer = self.ask(*path, query=query)
        assert answer.status == 200, answer.content
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        return answer.json()

    def ids(self, *path: str, query: str = "") -> list[str]:
        return [each["id"] for each in self.get(*path, query=query)]

    def room(self) -> str:
        """The id of a room that nobody else uses; the room itself need not be there."""
        self.count += 1
        return f"local-{self.count}-r"

    def take_in(self, document: Any, *, name: str = "import.json", replace: bool = False) -> Any:
        """Imports a document, or lines where it is a list; the counts. Raises what the command
        would say."""
        file = self.folder / name
        if isinstance(document, list):
            lines = (each if isinstance(each, str) else json.dumps(each) for each in document)
            file.write_text("\n".join(lines), encoding="utf-8")
        elif isinstance(document, bytes):
            file.write_bytes(document)
        else:
            file.write_text(json.dumps(document), encoding="utf-8")
        paper = FakeCommandIO()
        self.plugin.import_command(paper, file=str(file), replace=replace)
        (line,) = paper.output.splitlines()
        return json.loads(line)

    def take_in_stream(self, content: bytes) -> Any:
        paper = FakeCommandIO(stdin=content)
        self.plugin.import_command(paper, file="-", replace=False)
        return json.loads(paper.output)

    def refusal(self, document: Any, **options: Any) -> str:
        """What the import says; nothing may be stored by it."""
        before = self.give_out()
        with pytest.raises(StageboxError) as refused:
            self.take_in(document, **options)
        assert self.give_out() == before
        return refused.value.message

    @staticmethod
    def lines_of(document: dict[str, Any]) -> list[dict[str, Any]]:
        """The line form of a document."""
        found = [
            {"kind": member if member == "pluginData" else member.removesuffix("s"), "doc": doc}
            for member, docs in document.items()
            if member not in ("version", "meta")
            for doc in docs
        ]
        metas = document.get("meta", {}).items()
        return found + [
            {"kind": "meta", "doc": {"key": key, "value": value}} for key, value in metas
        ]

    def give_out(self) -> Any:
        file = self.folder / "export.json"
        self.plugin.export_command(FakeCommandIO(), file=str(file))
        return json.loads(file.read_bytes())

    def move_clock(self, seconds: float) -> None:
        part = self.clock_file.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self.clock_file)


def _start(folder: Path) -> Iterator[Local]:
    clock = folder / "clock"
    env = {"STAGEBOX_TEST_CLOCK_OFFSET_FILE": str(clock)}
    with TestHost(folder / "data", plugins=[Tester], env=env) as host:
        yield Local(host, folder, clock)


@pytest.fixture(scope="module")
def bundled(bundled: Any) -> Any:
    """Who else has a part in the local REST API."""
    return bundled and {*bundled, "local_api", "plugin_data"}


@pytest.fixture(scope="module")
def _local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    yield from _start(tmp_path_factory.mktemp("local"))


@pytest.fixture
def local(_local: Local) -> Iterator[Local]:
    """The module's host; use a room of your own."""
    yield _local
    _local.clock_file.unlink(missing_ok=True)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Local]:
    """A host that is empty."""
    yield from _start(tmp_path)
