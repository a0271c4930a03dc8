"""One host with an administrator, and its pages as she sees them."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host.testing import TestHost
from tests.browser.admin.sources import HORN, PINNED, SETTINGS, written


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    """Set up: with the administrator Ada, a plugin that works and one that does not."""
    folder = tmp_path_factory.mktemp("desk")
    horn = written(folder / "sources", "horn", HORN, settings=SETTINGS)
    broken = written(folder / "sources", "broken", "raise RuntimeError('no <b>valves</b>')")
    (folder / "data").mkdir()
    (folder / "data" / "stagebox.toml").write_text(PINNED)
    with TestHost(folder / "data", plugins=[horn, broken]) as host:
        body = {"name": "Ada", "pin": "2718", "recoveryPhrase": "lovelace"}
        assert host.post("/api/setup/init", json=body).status == 201
        yield host


@pytest.fixture(scope="module")
def token(host: TestHost) -> str:
    body = {"profileName": "Ada", "pin": "2718"}
    answer = host.post("/api/auth/login?cookie=1", json=body)
    name_and_value = answer.headers["set-cookie"].partition(";")[0]
    return str(name_and_value)


@pytest.fixture
def desk(host: TestHost, token: str, open_page: Callable[..., Any]) -> Callable[..., Any]:
    """Opens a page of the desk as Ada."""
    name, _, value = token.partition("=")
    cookie = {
        "name": name,
        "value": value,
        "domain": "127.0.0.1",
        "path": "/",
        "expires": -1,
        "httpOnly": True,
        "secure": False,
        "sameSite": "Strict",
    }
    state = {"cookies": [cookie], "origins": []}

    def open_(path: str, **options: Any) -> Any:
        watched = open_page(host.url, path, storage_state=state, **options)
        watched.page.wait_for_selector("main:not(:has([aria-busy]))")
        return watched

    return open_


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("axe-core comes from npm, which is not installed")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "pack", "axe-core@4", "--silent"]
    try:
        packed = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not fetch axe-core in a minute")
    if packed.returncode:
        pytest.skip(f"npm could not fetch axe-core: {packed.stderr.decode()[-200:]}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        file = tar.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()
