"""Archives that must not be believed, of a host whose data are on a PostgreSQL server."""

from __future__ import annotations

import re
import shutil
import struct
import zipfile

import psycopg
import pytest

from host.backup import restore, take_backup
from host.config import load_config
from host.db.postgresql.throwaway import database_for
from host.testing import TestHost
from plugin_sdk import StageboxError, Unavailable
from tests.archives import (
    CHANGES,
    FOREIGN_ROWS,
    no_progress,
    rewritten,
    state_of,
    write_keeper,
)

pytestmark = pytest.mark.one_engine

ALL = {**CHANGES, **FOREIGN_ROWS}


@pytest.fixture(scope="module")
def url(postgresql_template, made_databases, tmp_path_factory):
    before = made_databases.names()
    yield database_for(postgresql_template, tmp_path_factory.mktemp("served"))
    made_databases.remove(before)


@pytest.fixture(scope="module")
def folder(url, tmp_path_factory):
    """With the files of a host at rest, and an archive of what its data were before."""
    folder = tmp_path_factory.mktemp("prepared")
    plugin = write_keeper(folder / "source")
    with TestHost(folder / "data", plugins=[plugin], config={"database": url}) as host:
        assert host.post("/api/plugins/keeper/keep/one").status == 200
        take_backup(_config(folder, url), {}, folder / "archive.zip", no_progress)
        assert host.post("/api/plugins/keeper/keep/two").status == 200
    return folder


def _config(folder, url):
    return load_config({"data_dir": str(folder / "data"), "database": url}, {})


def _rows(url):
    """Every row of every table of ours, and what schemas there are."""
    with psycopg.connect(url) as connection:
        schemas = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ '^stagebox' ORDER BY 1"
        ).fetchall()
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname ~ '^stagebox' ORDER BY 1"
        ).fetchall()
        rows = {
            table: connection.execute(f"SELECT t::text FROM {table} t ORDER BY 1").fetchall()
            for (table,) in tables
        }
    return schemas, rows


@pytest.fixture
def refused(folder, url, tmp_path):
    """Restores an archive in vain; what was said."""
    archive = tmp_path / "archive.zip"
    before = state_of(folder / "data"), _rows(url)
    assert any("two" in str(rows) for rows in before[1][1].values())

    def run(change):
        shutil.copy(folder / "archive.zip", archive)
        change(archive)
        with pytest.raises(StageboxError) as caught:
            restore(_config(folder, url), {}, archive, no_progress, replace_data=True)
        assert (state_of(folder / "data"), _rows(url)) == before
        assert not (folder / "data" / ".restore").exists()
        assert "\n" not in caught.value.message
        return caught.value

    return run


@pytest.mark.parametrize("name", ALL)
def test_a_wrong_archive_is_refused_and_nothing_changes(name, refused):
    change, text = ALL[name]
    message = refused(lambda archive: rewritten(archive, change)).message
    assert re.search(text, message)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_truncated_archive_is_refused(part, refused):
    def cut(archive):
        archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * part)])

    assert "damaged, or no backup" in refused(cut).message


def test_a_byte_that_was_flipped_in_a_member_is_noticed(folder, refused):
    with zipfile.ZipFile(folder / "archive.zip") as archive:
        members = {info.filename.partition("/")[0]: info for info in archive.infolist()}
    assert len(members) == 4  # databases, plugins, blobs, manifest
    for info in members.values():
        refused(lambda archive, info=info: _flip(archive, info))


def _flip(file, info):
    """In the middle of what a member holds."""
    content = bytearray(file.read_bytes())
    name, extra = struct.unpack_from("<HH", content, info.header_offset + 26)
    content[info.header_offset + 30 + name + extra + info.compress_size // 2] ^= 0x5A
    file.write_bytes(content)


def test_a_bomb_is_refused_before_it_is_unpacked(folder, refused, monkeypatch):
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert isinstance(refused(lambda archive: None), Unavailable)
