"""``--server granian``: several processes, each with a host of its own on the same data.

The first process supervises: it holds the ports, starts workers, starts those anew that die, and
stops them. WebSockets are served by one of the workers, on a port of their own; should that one
die, another takes over.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, Final

from host.app import Host
from host.backup import BackupDesk
from host.config import Config, address, load_config
from host.errors import ConfigurationError
from host.server import Server, server_of
from host.server.elsewhere import WAITING_THREADS, GranianGateway, websocket_url
from plugin_sdk import DatabaseUnavailable

__all__ = ["serve_fleet"]

_STOP_SECONDS: Final = 25.0
_AGAIN_SECONDS: Final = 3.0
_GRACE_SECONDS: Final = 18.0
"""For requests under way; the rest of the time before the supervisor kills is for the host."""
_SOCKETS_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.5
_LISTENING: Final = "0A"
"""The state in /proc/net/tcp."""
_EXIT_PRIORITY: Final = 100


def serve_fleet(config: Config, flags: Mapping[str, Any], greet: Callable[[Host], object]) -> None:
    """Serves until SIGTERM or Ctrl-C. ``flags`` are those of the command line, from which each
    worker reads the configuration itself. Raises ConfigurationError."""
    try:
        from granian import Granian
        from granian.constants import HTTPModes, Interfaces
    except ImportError:
        raise ConfigurationError(
            "The server granian is not installed: pip install 'stagebox[fast]'.", key="server"
        ) from None
    if len(config.listen) != 1:
        raise ConfigurationError("The server granian listens at one address.", key="listen")
    host, port = address(config.listen[0])
    with _reserved(host, port, shared=True) as port:
        wanted = _websocket_port(config, port)
        with _reserved(host, wanted, shared=False) as websocket_port:
            pass
        member = Member(
            dict(flags), _shown(host, port), _shown(host, websocket_port), os.getpid(), greet
        )
        server = Granian(
            "stagebox",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=config.workers,
            blocking_threads=config.threads + WAITING_THREADS,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
            respawn_failed_workers=True,
            workers_kill_timeout=int(_STOP_SECONDS),
        )
        server.serve(target_loader=member, wrap_loader=False)


def _websocket_port(config: Config, port: int) -> int:
    if config.websocket_port is not None:
        return config.websocket_port
    return 0 if address(config.listen[0])[1] == 0 else port + 1


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _reserved(host: str, port: int, *, shared: bool) -> Iterator[int]:
    """A port that is free, held (without listening) so that no other program gets it. Workers
    listen beside it with SO_REUSEPORT when it is ``shared``. Raises ConfigurationError."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:  # refused if anybody listens there
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            found = int(probe.getsockname()[1])
        with socket.socket(family, kind, protocol) as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind((where[0], found, *where[2:]))
            yield found
    except OSError as error:
        raise ConfigurationError(
            f'The server cannot listen on "{_shown(host, port)}": '
            f"{(error.strerror or str(error)).lower()}.",
            key="listen",
        ) from error


@dataclass(frozen=True)
class Member:
    """Makes one worker; called in the worker's process. All but ``greet`` are plain values, and
    that is a function of a module, so it travels to a process however that is started."""

    flags: dict[str, Any]
    address: str
    websockets: str
    supervisor: int
    greet: Callable[[Host], object]

    def __call__(self) -> GranianGateway:
        stopping = StopSignal()
        config = load_config(self.flags, os.environ)
        env = dict(os.environ)
        _hide_headers()
        host = Host(config, env=env, log_stream=sys.stderr)
        host.provide("backups", BackupDesk(config, env))
        with _turn(config.data_dir / ".start.lock"):
            if stopping.asked():
                sys.exit(0)  # others took their time, and now nobody needs this one any more
            host.start(patience=_PATIENCE_SECONDS)
        worker = Worker(self, host, stopping)
        # granian's worker returns from its target when it has stopped; this runs then.
        Finalize(None, worker.stop, exitpriority=_EXIT_PRIORITY)
        worker.start()
        web = host.web
        return GranianGateway(
            web.gateway,
            web.upgrades,
            web.render_error,
            self.websockets,
            threads=config.threads,
        )


class StopSignal:
    """Whether this process was asked to stop, whoever handles the signal.

    To be made on the main thread, when the process is young. The interpreter writes the number of
    each signal to a descriptor of ours, so none is missed: not one that another handler takes, and
    not one that reaches another thread while the main one sleeps and is not woken by it.
    """

    def __init__(self) -> None:
        self._asked = False
        self._read, write = os.pipe()
        for descriptor in (self._read, write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        # Inherited is the supervisor's handler, with a copy of what that sets; granian puts its
        # own in place of ours when it begins to serve.
        inherited = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self._asked = bool(getattr(inherited, "interrupt_signal", False))

    def ask(self) -> None:
        """As a signal would."""
        self._asked = True

    def asked(self) -> bool:
        try:
            while numbers := os.read(self._read, 64):
                stops = (signal.SIGTERM, signal.SIGINT)
                self._asked = self._asked or any(number in stops for number in numbers)
        except BlockingIOError:
            pass
        return self._asked


class Worker:
    """What a worker does beside answering: takes WebSockets if nobody else does, and ends when
    the supervisor is gone."""

    def __init__(self, member: Member, host: Host, stopping: StopSignal) -> None:
        self._member = member
        self._host = host
        self._stopping = stopping
        self._sockets: Server | None = None
        self._lock: int | None = None
        self._ending = threading.Event()
        self._again_at = self._leave_at = 0.0
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Requests have been answered by now."""
        self._ending.set()
        self._thread.join()
        self._take_down()

    def _take_down(self) -> None:
        if self._sockets is not None:
            self._sockets.stop(_SOCKETS_SECONDS)
        self._host.stop()
        if self._lock is not None:
            os.close(self._lock)

    def _run(self) -> None:
        log = self._host.logs.logger("server")
        first = self._take_sockets(log)
        while not self._listening():
            if self._ending.wait(0.01):
                return
            self._pass_on()
        while not self._announced(log):
            if self._ending.wait(_LOOK_SECONDS):
                return
            self._pass_on()
        if first:
            self._member.greet(self._host)
        self._pass_on()
        while not self._ending.wait(_LOOK_SECONDS):
            if os.getppid() != self._member.supervisor:
                self._stopping.ask()
            self._pass_on()
            if self._sockets is None:
                self._take_sockets(log)

    def _announced(self, log: logging.Logger) -> bool:
        """Tells the other hosts; False while the database is away. This thread must not end by
        it: nobody else would notice that the supervisor is gone."""
        url = websocket_url(self._member.websockets)
        try:
            self._host.serve([self._member.address], self._close_gone, websocket_url=url)
        except DatabaseUnavailable as error:
            log.warning("The worker serves, but cannot tell other hosts yet: %s", error)
            return False
        return True

    def _pass_on(self) -> None:
        """Sees to it that this process ends once it was asked to. What granian hears before it
        serves it forgets: so it is told again if it still listens a while later, and never while
        it ends, which a second signal would stop. Requests under way have their time."""
        if not self._stopping.asked():
            return
        now = time.monotonic()
        if not self._again_at:
            self._again_at, self._leave_at = now + _AGAIN_SECONDS, now + _GRACE_SECONDS
        if now >= self._leave_at:
            self._host.log.warning("Requests were still under way; the worker ends without them.")
            self._take_down()
            os._exit(0)
        if now >= self._again_at and _listens(address(self._member.address)[1]):
            self._again_at = now + _AGAIN_SECONDS
            os.kill(os.getpid(), signal.SIGTERM)

    def _listening(self) -> bool:
        host, port = address(self._member.address)
        try:
            socket.create_connection((_reachable(host), port), timeout=1).close()
        except OSError:
            return False
        return True

    def _take_sockets(self, log: logging.Logger) -> bool:
        """Serves WebSockets, unless another worker does."""
        if self._lock is None:
            lock = os.open(
                self._host.config.data_dir / ".websockets.lock", os.O_RDWR | os.O_CREAT, 0o600
            )
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return False
            self._lock = lock
        threads = max(2, self._host.config.threads // 4)
        sockets = server_of(self._host, listen=[self._member.websockets], threads=threads)
        try:
            sockets.start()
        except ConfigurationError as error:  # tried again
            log.error("WebSockets cannot be served: %s", error.message)
            return False
        self._sockets = sockets
        return True

    def _close_gone(self) -> None:
        if self._sockets is not None:
            self._sockets.hub.close_gone()


def _listens(port: int) -> bool:
    """Whether this very process listens there: others may too. Where the system has no /proc
    that cannot be told, and counts as no."""
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for fields in map(str.split, lines):
            if fields[3] == _LISTENING and fields[1].endswith(f":{port:04X}"):
                found.add(f"socket:[{fields[9]}]")
    return any(_target(each) in found for each in Path("/proc/self/fd").glob("*"))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # to be recognised


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Workers start one after the other: what the first has made the others find."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _hide_headers() -> None:
    """granian puts the environment of the process into that of each request, where a variable
    HTTP_PROXY would be the header Proxy (https://httpoxy.org)."""
    for name in [name for name in os.environ if name.startswith("HTTP_")]:
        value = os.environ.pop(name)
        os.environ.setdefault(name.lower(), value)  # as proxies are named, too
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR", "REMOTE_USER"):
        os.environ.pop(name, None)
