"""The plugin's settings, its command, and what it needs to be installed."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import builtin_plugins.s3_storage as s3_storage
from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk import Conflict, NotFound, ProviderUnavailable
from plugin_sdk.testing import FakeCommandIO, FakeContext, PluginSuite, leak_check

BUCKET = "stagebox-test"


class TestS3StorageIsSound(PluginSuite):
    plugin = "builtin_plugins.s3_storage:plugin"


def put(storage: S3Storage, key: str, content: bytes = b"1") -> Any:
    return storage.put(key, io.BytesIO(content), "a/b")


def started(context: FakeContext) -> Any:
    return context.start(s3_storage.plugin), context.providers.active("storage")


def test_importing_it_loads_no_client() -> None:
    code = (
        "import sys, builtin_plugins.s3_storage as p; p.plugin;"
        "assert not {'botocore', 'urllib3'} & {*sys.modules}"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Not configured


def test_nothing_is_done_without_settings(make_context: Callable[..., FakeContext]) -> None:
    context = make_context({})
    plugin, storage = started(context)
    for operation in (
        lambda: put(storage, "a"),
        lambda: storage.stat("a"),
        lambda: storage.open("a"),
        lambda: storage.delete("a"),
        lambda: storage.list(),
    ):
        with pytest.raises(ProviderUnavailable) as raised:
            operation()
        for name in ("endpoint", "bucket", "accessKeyId", "secretAccessKey"):
            assert name in str(raised.value)
    assert storage.url("a", 60) is None
    context.jobs.start("abort-leftovers")
    assert [job.state for job in context.jobs.run_all()] == ["succeeded"]
    assert plugin.diagnostics()["configured"] is False
    context.stop(plugin)


def test_the_sentence_names_what_is_missing(
    weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    context = make_context({**weed.settings(folder), "secretAccessKey": ""})
    _, storage = started(context)
    with pytest.raises(ProviderUnavailable, match="give secretAccessKey in the settings"):
        storage.stat("a")


# Changes


def test_changed_settings_count_at_once(
    weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    context = make_context({})
    with leak_check():
        plugin, storage = started(context)
        context.settings.update(weed.settings(folder))
        put(storage, "a", b"here")
        context.settings.update({"secretAccessKey": "wrong"})
        with pytest.raises(ProviderUnavailable, match="SignatureDoesNotMatch"):
            storage.stat("a")
        context.settings.update(weed.settings(folder))
        assert storage.stat("a").size == 4
        context.settings.update({"prefix": folder + "/deeper/"})
        with pytest.raises(NotFound):
            storage.stat("a")
        context.stop(plugin)


def test_a_blob_that_is_being_read_is_read_to_its_end_when_settings_change(
    weed: Any, storage: S3Storage, context: FakeContext
) -> None:
    content = bytes(range(256)) * 20_000
    put(storage, "a", content)
    with storage.open("a") as stream:
        begun = stream.read(100)
        context.settings.update({"bucket": "elsewhere"})
        assert begun + stream.read() == content


def test_the_whole_bucket(
    weed: Any, objects: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    _, storage = started(make_context(weed.settings("")))
    put(storage, folder)
    assert objects.head_object(Bucket=BUCKET, Key=folder)["ContentLength"] == 1
    assert folder in [info.key for info in storage.list(folder)]
    assert storage.delete(folder) is True
    storage.close()


# Addresses for clients


def test_addresses_are_given_only_when_asked_for(storage: S3Storage, context: FakeContext) -> None:
    content = bytes(range(256)) * 100
    storage.put("sounds/a b.ogg", io.BytesIO(content), "audio/ogg")
    assert storage.url("sounds/a b.ogg", 60) is None
    context.settings.update({"presign": True})
    url = storage.url("sounds/a b.ogg", 60)
    assert url is not None
    assert context.settings["secretAccessKey"] not in url
    with httpx.Client(trust_env=False, timeout=60) as client:
        whole = client.get(url)
        assert (whole.status_code, whole.content) == (200, content)
        assert whole.headers["content-type"] == "audio/ogg"
        part = client.get(url, headers={"Range": "bytes=5-9"})
        assert (part.status_code, part.content) == (206, content[5:10])
        assert client.get(url.replace("Signature=", "Signature=0")).status_code == 403
        assert client.put(url, content=b"other").status_code == 403


@pytest.mark.parametrize(("asked", "signed"), [(-5, 1), (60, 60), (10**9, 604_800)])
def test_addresses_are_good_for_a_week_at_most(
    storage: S3Storage, context: FakeContext, asked: int, signed: int
) -> None:
    context.settings.update({"presign": True})
    assert f"X-Amz-Expires={signed}&" in (storage.url("a", asked) or "")
    with pytest.raises(NotFound):
        storage.url("a//b", asked)


@pytest.mark.parametrize(
    ("path_style", "begin"),
    [
        (True, "https://s3.example.org/media/stagebox/a?"),
        (False, "https://media.s3.example.org/stagebox/a?"),
    ],
)
def test_the_bucket_stands_in_the_path_or_in_the_name(
    make_context: Callable[..., FakeContext], path_style: bool, begin: str
) -> None:
    settings = {
        "endpoint": "https://s3.example.org/",
        "bucket": "media",
        "accessKeyId": "AK",
        "secretAccessKey": "secret",
        "presign": True,
        "pathStyle": path_style,
    }
    _, storage = started(make_context(settings))
    assert storage.url("a", 60).startswith(begin)
    storage.close()


def test_nothing_is_taken_from_the_environment(
    weed: Any,
    folder: str,
    make_context: Callable[..., FakeContext],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = nowhere\nretry_mode = nonsense\n")
    for name, value in {
        "AWS_PROFILE": "missing",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_CA_BUNDLE": "/missing",
        "AWS_DEFAULTS_MODE": "auto",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_SUPPORTED",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    _, storage = started(make_context(weed.settings(folder)))
    assert put(storage, "a", b"1234").size == 4
    storage.close()


# The library


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def missing(name: str, package: str | None = None) -> Any:
        return None if name == "botocore" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", missing)


def test_a_missing_library_is_told_at_the_start(
    without_library: None, weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    with pytest.raises(Conflict, match=r"pip install 'stagebox\[s3\]'"):
        started(make_context(weed.settings(folder)))


def test_nobody_needs_the_library_without_a_store(
    without_library: None, weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    context = make_context({})
    _, storage = started(context)
    context.settings.update(weed.settings(folder))
    with pytest.raises(ProviderUnavailable, match=r"pip install 'stagebox\[s3\]'"):
        storage.list()


# Trying out


def check(context: FakeContext) -> tuple[int, FakeCommandIO]:
    terminal = FakeCommandIO()
    plugin = s3_storage.plugin(context)
    with leak_check():
        return plugin.try_out(terminal), terminal


def test_a_store_is_tried_out(context: FakeContext, objects: Any, folder: str, weed: Any) -> None:
    status, terminal = check(context)
    assert (status, terminal.errors) == (0, "")
    lines = terminal.output.splitlines()
    assert lines[0] == f'{weed.endpoint}, bucket "{BUCKET}", folder {folder}'
    assert lines[1:-1] == [
        "write: ok",
        "read: ok",
        "read a part: ok",
        "list: ok",
        "write in parts: ok",
        "replace: ok",
        "list unfinished uploads: ok",
        "delete: ok",
    ]
    assert "choose the storage provider s3" in lines[-1]
    assert "Contents" not in objects.list_objects_v2(Bucket=BUCKET, Prefix=folder + "/")


def test_trying_out_tells_what_is_missing(make_context: Callable[..., FakeContext]) -> None:
    status, terminal = check(make_context({}))
    assert (status, terminal.output) == (1, "")
    assert "write: The S3 storage is not configured: give endpoint, bucket" in terminal.errors


def test_trying_out_tells_what_went_wrong(
    weed: Any, folder: str, make_context: Callable[..., FakeContext]
) -> None:
    status, terminal = check(make_context(weed.settings(folder, "reader")))
    assert status == 1
    assert terminal.errors.startswith("write: The S3 store at http://127.0.0.1:")
    assert "AccessDenied" in terminal.errors
    assert "the-secret-of-the-reader" not in terminal.errors + terminal.output


def test_a_step_that_fails_leaves_nothing_behind(
    context: FakeContext, objects: Any, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(S3Storage, "list", lambda *_args, **_options: [])
    status, terminal = check(context)
    assert status == 1
    assert "list: The store does not do as S3 stores do" in terminal.errors
    assert "Contents" not in objects.list_objects_v2(Bucket=BUCKET, Prefix=folder + "/")


# What is shown


def test_diagnostics_hold_no_secret(context: FakeContext, folder: str) -> None:
    plugin, storage = started(context)
    put(storage, "a")
    shown = plugin.diagnostics()
    assert (shown["configured"], shown["bucket"], shown["trouble"]) == (True, BUCKET, None)
    text = json.dumps(shown)
    assert context.settings["secretAccessKey"] not in text
    assert context.settings["accessKeyId"] not in text
    context.stop(plugin)
