"""Several processes on the same files, and processes that die."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from host.db import Engine, HostDatabase, KeyValueData
from host.testing import open_engine

Script = Callable[..., "subprocess.Popen[str]"]

_HEAD = """
import sys
from pathlib import Path
from host.db import KeyValueData
from host.testing import open_engine
database = open_engine(Path(sys.argv[1])).open("example.plugin")
data = KeyValueData(database)
table = database.table("notes")
"""

_WRITE_FOR_EVER = (
    _HEAD
    + """
table.create({"id": "integer", "text": "text"}, pk="id")
number = 0
while True:
    number += 1
    table.insert({"text": f"row {number}"})
    data.set(f"key {number}", [number])
    with database.transaction():
        table.insert({"text": f"first {number}"})
        table.insert({"text": f"second {number}"})
    print(number)
"""
)

_DIE_IN_A_TRANSACTION = (
    _HEAD
    + """
import os, signal
with database.transaction():
    table.insert_all({"text": "x" * 1000} for _ in range(5000))
    print("inside")
    sys.stdin.read()
"""
)

_COUNT = (
    _HEAD
    + """
print("ready")
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    with database.transaction():
        data.set("count", data.get("count", 0) + 1)
        table.insert({"text": sys.argv[3]})
print("done")
"""
)

_CREATE = (
    _HEAD
    + """
print("ready")
sys.stdin.readline()
table.create({"id": "integer", "text": "text"}, pk="id", if_not_exists=True)
table.insert({"text": "x"})
print("done")
"""
)

_OBEY = (
    _HEAD
    + """
for line in sys.stdin:
    exec(line)
    print("done")
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def _open(folder: Path) -> tuple[Engine, HostDatabase]:
    engine = open_engine(folder)
    return engine, engine.open("example.plugin")


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _make(folder: Path) -> None:
    engine, database = _open(folder)
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id")
    engine.close()


def test_what_was_answered_survives_kill_9(script: Script, folder: Path) -> None:
    for _ in range(3):
        process = script(
            _WRITE_FOR_EVER.replace("table.create(", "table.exists() or table.create("), folder
        )
        for _ in range(40):
            answered = int(_hear(process))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        complete = [line for line in rest.split("\n")[:-1] if line]
        answered = int(complete[-1]) if complete else answered
        engine, database = _open(folder)
        texts = [row["text"] for row in database.query("SELECT text FROM notes ORDER BY id")]
        for number in range(1, answered + 1):
            assert f"row {number}" in texts
            assert KeyValueData(database).get(f"key {number}") == [number]
        firsts = [text.split()[1] for text in texts if text.startswith("first")]
        assert firsts == [text.split()[1] for text in texts if text.startswith("second")]
        assert set(map(str, range(1, answered + 1))) <= set(firsts)
        database.table("notes").delete_where()
        engine.close()


def test_a_transaction_of_a_process_that_dies_is_undone(script: Script, folder: Path) -> None:
    _make(folder)
    process = script(_DIE_IN_A_TRANSACTION, folder)
    assert _hear(process) == "inside"
    engine, database = _open(folder)
    assert database.table("notes").count_where() == 0
    process.kill()
    process.wait()
    database.table("notes").insert({"text": "after"})
    assert database.table("notes").count_where() == 1
    engine.close()


def test_two_processes_write_the_same_file(script: Script, folder: Path) -> None:
    _make(folder)
    processes = [script(_COUNT, folder, 150, name) for name in ("one", "two")]
    for process in processes:
        assert _hear(process) == "ready"
    for process in processes:
        _say(process, "go")
    engine, database = _open(folder)
    for _ in range(50):
        with database.transaction():
            data = KeyValueData(database)
            data.set("count", data.get("count", 0) + 1)
    for process in processes:
        assert _hear(process) == "done"
    assert KeyValueData(database).get("count") == 350
    notes = database.query("SELECT text, count(*) AS n FROM notes GROUP BY text ORDER BY text")
    assert notes == [{"text": "one", "n": 150}, {"text": "two", "n": 150}]
    engine.close()


def test_processes_may_make_the_file_at_the_same_time(script: Script, folder: Path) -> None:
    processes = [script(_CREATE, folder) for _ in range(4)]
    for process in processes:
        assert _hear(process) == "ready"
    for process in processes:
        _say(process, "go")
    for process in processes:
        assert _hear(process) == "done"
    engine, database = _open(folder)
    assert database.table("notes").count_where() == 4
    engine.close()


def test_the_counter_tells_of_commits_by_anybody(script: Script, folder: Path) -> None:
    _make(folder)
    engine, database = _open(folder)
    other = script(_OBEY, folder)
    seen = [database.change_counter()]
    assert database.change_counter() == seen[-1]

    def changed() -> bool:
        seen.append(database.change_counter())
        return seen[-1] != seen[-2]

    database.table("notes").insert({"text": "a"})
    assert changed()
    assert not changed()
    _say(other, "table.insert({'text': 'b'})")
    assert _hear(other) == "done"
    assert changed()
    _say(other, "table.rows_where()")
    assert _hear(other) == "done"
    assert not changed()
    with database.transaction():
        pass
    database.query("SELECT * FROM notes")
    assert not changed()
    with database.transaction():
        database.table("notes").insert({"text": "c"})
    assert changed()
    assert len(set(seen)) == 4
    engine.close()


def test_a_schema_changed_by_another_process_is_seen(script: Script, folder: Path) -> None:
    _make(folder)
    engine, database = _open(folder)
    notes = database.table("notes")
    key = notes.insert({"text": "a"})
    other = script(_OBEY, folder)
    _say(other, "table.add_column('meta', 'json')")
    assert _hear(other) == "done"
    notes.update(key, {"meta": {"a": 1}})
    assert notes.get(key) == {"id": key, "text": "a", "meta": {"a": 1}}
    _say(other, "table.drop(); table.create({'code': 'text', 'text': 'json'}, pk='code')")
    assert _hear(other) == "done"
    assert notes.insert({"code": "x", "text": ["now json"]}) == "x"
    assert notes.get("x") == {"code": "x", "text": ["now json"]}
    engine.close()


def test_a_restore_is_seen_by_another_process(script: Script, folder: Path, tmp_path: Path) -> None:
    _make(folder)
    engine, database = _open(folder)
    database.copy_to(tmp_path / "copy.db")
    other = script(_OBEY, folder)
    _say(other, "table.insert({'text': 'b'})")
    assert _hear(other) == "done"
    assert database.table("notes").count_where() == 1
    database.restore_from(tmp_path / "copy.db")
    _say(other, "assert table.count_where() == 0; table.insert({'text': 'c'})")
    assert _hear(other) == "done"
    assert database.query("SELECT text FROM notes") == [{"text": "c"}]
    engine.close()
