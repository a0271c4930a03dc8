"""A real host whose blobs lie in a real S3 store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from host.testing import database_of
from plugin_sdk import Plugin, Request, Response, route
from plugin_sdk.testing import RunningHost, StartHost

BUCKET = "stagebox-test"
ACTIVE = "/api/plugins/providers/storage/active"
BOARD = "/api/plugins/example.soundboard"
PLUGIN = "builtin_plugins.s3_storage:plugin"


class Lender(Plugin):
    """Sends clients to the store where that gives an address, and serves the blob otherwise."""

    manifest: ClassVar[dict[str, Any]] = {"capabilities": ["blobs"]}

    @route("PUT", "/{name}", access="open", consumes="*/*", max_body=32 * 1024 * 1024)
    def put(self, request: Request) -> None:
        self.context.blobs.put(request.params["name"], request.read(), "audio/ogg")

    @route("GET", "/{name}", access="open")
    def get(self, request: Request) -> Response:
        return Response.file(self.context.blobs.get(request.params["name"]), direct=True)


@pytest.fixture
def start(stagebox: StartHost, weed: Any, folder: str) -> Callable[..., RunningHost]:
    """Starts hosts that keep their blobs in the store."""

    def start(*plugins: Any, **more: Any) -> RunningHost:
        settings = {"s3_storage": weed.settings(folder, **more)}
        host = stagebox(PLUGIN, *plugins, settings=settings)
        answer = host.put(ACTIVE, json={"name": "s3"})
        assert (answer.status, answer.json()["active"]) == (200, "s3")
        return host

    return start


def upload(host: RunningHost, content: bytes) -> Any:
    return host.post(
        f"{BOARD}/uploads",
        content=b'--x\r\nContent-Disposition: form-data; name="label"\r\n\r\nMine\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        + content
        + b"\r\n--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )


def sound() -> bytes:
    from soundboard.sounds import SOUNDS, wav

    return wav(SOUNDS["pop"])


def stored(objects: Any, folder: str) -> list[str]:
    found = objects.list_objects_v2(Bucket=BUCKET, Prefix=folder + "/")
    return [each["Key"] for each in found.get("Contents", ())]


def local_files(host: Any) -> list[Path]:
    return list(Path(host.data_dir).glob("plugins/local_storage/blobs/*/*"))


def test_sounds_are_kept_in_the_store_and_served_in_ranges(
    start: Callable[..., RunningHost], objects: Any, folder: str
) -> None:
    host: Any = start("soundboard:plugin")
    content = sound()
    answer = upload(host, content)
    assert answer.status == 201, answer.content
    path = answer.headers["location"]
    [name] = stored(objects, folder)
    assert name.startswith(f"{folder}/example.-soundboard._")
    assert local_files(host) == []
    whole = host.get(path)
    assert (whole.status, whole.content) == (200, content)
    assert whole.headers["content-type"] == "audio/wav"
    for given, expected in (
        ("bytes=0-0", content[:1]),
        ("bytes=100-1999", content[100:2000]),
        ("bytes=-7", content[-7:]),
    ):
        part = host.get(path, headers={"Range": given})
        assert (part.status, part.content) == (206, expected)
    etag = whole.headers["etag"]
    assert host.get(path, headers={"If-None-Match": etag}).status == 304
    assert host.head(path).headers["content-length"] == str(len(content))
    host.restart()
    assert host.get(path).content == content
    assert host.disable("example.soundboard").state == "disabled"
    purged = host.post("/api/plugins/example.soundboard/purge", json={"scope": "all"})
    assert purged.status == 204, purged.content
    assert stored(objects, folder) == []


def test_the_plugin_stays_on_while_its_store_is_in_use(start: Callable[..., RunningHost]) -> None:
    host = start()
    refused = host.post("/api/plugins/s3_storage/disable")
    assert (refused.status, refused.json()["error"]) == (409, "PROVIDER_IN_USE")
    assert host.put(ACTIVE, json={"name": "local"}).status == 200
    assert host.post("/api/plugins/s3_storage/disable").status == 200


def test_a_start_without_the_store_stores_nothing_elsewhere_and_heals(
    start: Callable[..., RunningHost],
    weed: Any,
    objects: Any,
    folder: str,
    wait_until: Callable[..., None],
) -> None:
    host: Any = start("soundboard:plugin")
    path = upload(host, sound()).headers["location"]
    weed.kill()
    try:
        host.restart()
        for answer in (upload(host, sound()[:-9]), host.get(path)):
            assert (answer.status, answer.json()["error"]) == (503, "PROVIDER_UNAVAILABLE")
            assert "cannot be reached" in answer.json()["message"]
            assert weed.settings(folder)["secretAccessKey"] not in answer.content.decode()
            assert int(answer.headers["retry-after"]) >= 1
        assert local_files(host) == []
        assert host.entry("s3_storage").state == "active"
        listed = host.get("/api/plugins/providers").json()["storage"]
        assert [each["name"] for each in listed if each["active"]] == ["s3"]
    finally:
        weed.start()
    wait_until(lambda: host.get(path).status == 200)
    assert host.get(path).content == sound()
    assert len(stored(objects, folder)) == 1


def test_settings_are_checked_masked_and_in_force_at_once(
    start: Callable[..., RunningHost], weed: Any, folder: str
) -> None:
    host = start(Lender)
    config = "/api/plugins/s3_storage/config"
    shown = host.get(config)
    for name in ("accessKeyId", "secretAccessKey"):
        assert weed.settings(folder)[name] not in shown.content.decode()
        assert shown.json()[name] == "********"
    for wrong in (
        {"endpoint": "ftp://somewhere"},
        {"endpoint": "http://user:word@somewhere"},
        {"endpoint": "http://somewhere/?a=b"},
        {"bucket": "a/b"},
        {"bucket": "arn:aws:s3:::x"},
        {"prefix": "/a"},
        {"prefix": "a//b"},
        {"prefix": "../a"},
        {"prefix": "a" * 129},
        {"secretAccessKey": "with space"},
        {"region": ""},
    ):
        assert host.put(config, json={**shown.json(), **wrong}).status == 400, wrong
    assert host.put("/api/plugins/lender/a", content=b"1").status == 204
    broken = {**shown.json(), "secretAccessKey": "wrong"}
    assert host.put(config, json=broken).status == 200
    answer = host.get("/api/plugins/lender/a")
    assert (answer.status, "SignatureDoesNotMatch" in answer.json()["message"]) == (503, True)
    mended = {**shown.json(), "secretAccessKey": weed.settings(folder)["secretAccessKey"]}
    assert host.put(config, json=mended).status == 200
    assert host.get("/api/plugins/lender/a").content == b"1"


def test_clients_are_sent_to_the_store(start: Callable[..., RunningHost], weed: Any) -> None:
    host = start(Lender, presign=True)
    content = bytes(range(256)) * 5000
    assert host.put("/api/plugins/lender/song", content=content).status == 204
    answer = host.get("/api/plugins/lender/song")
    assert answer.status == 307
    assert answer.headers["location"].startswith(weed.endpoint + "/")
    with httpx.Client(
        base_url=host.url, follow_redirects=True, trust_env=False, timeout=60
    ) as client:
        whole = client.get("/api/plugins/lender/song")
        assert (whole.status_code, whole.content) == (200, content)
        assert str(whole.url).startswith(weed.endpoint)
        assert whole.headers["content-type"] == "audio/ogg"
        part = client.get("/api/plugins/lender/song", headers={"Range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, content[1000:2000])


def test_the_store_is_tried_out_from_the_command_line(
    start: Callable[..., RunningHost], weed: Any, folder: str
) -> None:
    host: Any = start()
    command = [sys.executable, "-m", "host", "s3_storage", "check"]
    env = {
        **os.environ,
        "STAGEBOX_DATA_DIR": str(host.data_dir),
        "STAGEBOX_DATABASE": database_of(host.data_dir),
    }
    run = partial(subprocess.run, command, env=env, capture_output=True, text=True, timeout=60)
    done = run(check=False)
    assert done.returncode == 0, done.stderr
    assert f'bucket "{BUCKET}", folder {folder}' in done.stdout
    config = "/api/plugins/s3_storage/config"
    assert host.put(config, json={**host.get(config).json(), "bucket": "not-there"}).status == 200
    done = run(check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("write: The S3 store at ")
    assert "NoSuchBucket" in done.stderr
    assert weed.settings(folder)["secretAccessKey"] not in done.stdout + done.stderr


def test_a_large_blob_goes_through_the_host(
    start: Callable[..., RunningHost], objects: Any, folder: str
) -> None:
    host = start(Lender)
    content = bytes(range(251)) * 50_000  # in parts
    assert host.put("/api/plugins/lender/song", content=content).status == 204
    assert host.get("/api/plugins/lender/song").content == content
    part = host.get("/api/plugins/lender/song", headers={"Range": "bytes=9000000-9999999"})
    assert (part.status, part.content) == (206, content[9_000_000:10_000_000])
