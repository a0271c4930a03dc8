"""A host with some of everything, and archives of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.backup import Taken, restore, take_backup
from host.config import Config, load_config
from tests.archives import no_progress, write_keeper


@pytest.fixture
def config_of() -> Callable[[Path], Config]:
    return lambda data_dir: load_config({"data_dir": str(data_dir)}, {})


@pytest.fixture
def keeper_plugin(tmp_path):
    return write_keeper(tmp_path / "sources")


@pytest.fixture
def keeper(make_host, keeper_plugin):
    """A running host whose plugin has kept ``word``."""

    def make(word: str, data_dir: Path | None = None):
        host = make_host(keeper_plugin, data_dir=data_dir)
        assert host.post(f"/api/plugins/keeper/keep/{word}").status == 200
        return host

    return make


@pytest.fixture
def back_up(config_of, tmp_path):
    def run(data_dir: Path, file: Path | None = None) -> Taken:
        return take_backup(config_of(data_dir), {}, file or tmp_path / "archive.zip", no_progress)

    return run


@pytest.fixture
def put_back(config_of, tmp_path):
    def run(data_dir: Path, file: Path | None = None, **options: Any):
        archive = file or tmp_path / "archive.zip"
        return restore(config_of(data_dir), {}, archive, no_progress, **options)

    return run
