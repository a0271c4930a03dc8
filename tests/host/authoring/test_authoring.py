"""New plugins, plugins that are edited while they run, and packages of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from host.app import Host
from host.authoring import Development, find_source, pack, scaffold
from host.authoring.checking import check_plugin
from host.config import load_config
from plugin_sdk import Conflict, Invalid, NotFound
from tests.waiting import eventually

HELLO = """
from plugin_sdk import Plugin, route


class plugin(Plugin):
    @route("GET", "/hello", access="open")
    def hello(self, request):
        return {"hello": "world"}
"""


# New


def test_a_new_plugin_passes_its_own_tests(tmp_path):
    written = scaffold("ada.my-notes", tmp_path / "notes", author="Ada")
    assert len(written) <= 8
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "notes",
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    document = json.loads((tmp_path / "notes" / "ada_my_notes" / "plugin.json").read_text())
    assert (document["id"], document["name"]) == ("ada.my-notes", "My Notes")
    assert document["authors"] == [{"name": "Ada"}]
    for path in written:
        assert "@{" not in path.read_text(), path


@pytest.mark.parametrize("plugin_id", ["", "A", "1notes", "ada..notes", "host", "../x", "a b"])
def test_an_id_that_is_none_is_refused(tmp_path, plugin_id):
    with pytest.raises(Invalid, match="no plugin id"):
        scaffold(plugin_id, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_id_of_a_built_in_is_refused_since_that_would_win(tmp_path):
    with pytest.raises(Conflict, match=r'"ada\.media"'):
        scaffold("media", tmp_path / "media")
    assert not (tmp_path / "media").exists()


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Conflict, match="not empty"):
        scaffold("notes", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("plugin_id", "module", "name"),
    [
        ("json", "json_plugin", "JsonPlugin"),
        ("click", "click_plugin", "ClickPlugin"),
        ("plugin-sdk", "plugin_sdk_plugin", "PluginSdkPlugin"),
        ("tests", "tests_plugin", "TestsPlugin"),
        ("lambda", "lambda_plugin", "LambdaPlugin"),
        ("response", "response", "ResponsePlugin"),
        ("true", "true", "TruePlugin"),
    ],
)
def test_names_that_python_or_the_sdk_has_are_left_to_them(tmp_path, plugin_id, module, name):
    scaffold(plugin_id, tmp_path / "new")
    assert f"\nplugin = {name}\n" in (tmp_path / "new" / module / "__init__.py").read_text()
    for path in (tmp_path / "new").rglob("*.py"):
        compile(path.read_text(), path, "exec")
    assert check_plugin(tmp_path / "new", run=False).findings == ()


def test_a_name_may_have_quotes(tmp_path):
    scaffold("ada.x", tmp_path / "new", name='Say "hi"', author='A\\B\n"C"')
    document = json.loads((tmp_path / "new" / "ada_x" / "plugin.json").read_text())
    assert (document["name"], document["authors"]) == ('Say "hi"', [{"name": 'A\\B\n"C"'}])


# Finding


def test_a_plugin_is_found_from_the_project_or_its_folder(tmp_path):
    scaffold("ada.notes", tmp_path / "notes")
    for path in (tmp_path / "notes", tmp_path / "notes" / "ada_notes"):
        found = find_source(path)
        assert (found.id, found.folder) == ("ada.notes", tmp_path / "notes" / "ada_notes")
        assert found.project == tmp_path / "notes"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hello.py", "hello"),
        ("My Board.py", "my_board"),
        ("1.py", "dev_1"),
        ("host.py", "dev_host"),
    ],
)
def test_a_file_is_a_plugin(tmp_path, name, expected):
    (tmp_path / name).write_text(HELLO)
    assert find_source(tmp_path / name).id == expected


def test_what_holds_no_plugin_says_so(tmp_path):
    with pytest.raises(NotFound, match="does not exist"):
        find_source(tmp_path / "nothing")
    with pytest.raises(Invalid, match="plugin new ID"):
        find_source(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(Invalid, match="no Python file"):
        find_source(tmp_path / "a.txt")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plugin.json").write_text('{"id": "x"}')
    with pytest.raises(Invalid, match="name one of one, two"):
        find_source(tmp_path)
    (tmp_path / "one" / "plugin.json").write_text('{"id": }')
    with pytest.raises(Invalid, match=r"plugin\.json: "):
        find_source(tmp_path / "one")
    (tmp_path / "one" / "plugin.json").write_text('{"id": "Not One"}')
    with pytest.raises(Invalid, match='needs an "id"'):
        find_source(tmp_path / "one")


# Dev


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Path, str], object]:
    """Writes a file as good editors do: nobody sees half of it."""

    def write(path: Path, text: str) -> None:
        fresh = tmp_path / "fresh"
        fresh.write_text(text)
        fresh.replace(path)

    return write


@pytest.fixture
def develop(tmp_path: Path) -> Iterator[Callable[[Path], Any]]:
    ends: list[Callable[[], object]] = []

    def start(path: Path) -> tuple[Development, list[str], httpx.Client]:
        said: list[str] = []
        flags = {"data_dir": str(tmp_path / "data"), "listen": ["127.0.0.1:0"]}
        host = Host(load_config(flags, {}), env={}, log_stream=None)
        source = find_source(path)
        development = Development(host, source, tmp_path / "aside", said.append)
        development.start()
        stopping = threading.Event()
        thread = threading.Thread(target=development.run, args=(stopping,))
        thread.start()
        base = f"http://{development.server.addresses[0]}/api/plugins/{source.id}"
        client = httpx.Client(base_url=base, trust_env=False, timeout=30)

        def end() -> None:
            stopping.set()
            thread.join()
            client.close()
            development.stop()

        ends.append(end)
        return development, said, client

    yield start
    for end in ends:
        end()


def test_a_file_of_a_few_lines_is_served_and_edits_are_live(tmp_path, develop, save):
    path = tmp_path / "hello.py"
    path.write_text(HELLO)
    development, said, client = develop(path)
    assert client.get("/hello").json() == {"hello": "world"}
    assert development.page() == str(client.base_url) + "hello"
    save(path, HELLO.replace("world", "you"))
    eventually(lambda: client.get("/hello").json() == {"hello": "you"})
    eventually(lambda: len(said) == 2)
    assert said[-1].startswith("hello 0.0.0 is loaded")


def test_a_mistake_leaves_the_old_code_at_work(tmp_path, develop, save):
    path = tmp_path / "hello.py"
    path.write_text(HELLO)
    _, said, client = develop(path)
    save(path, HELLO + "\ndef (:\n")
    eventually(lambda: "was not loaded" in said[-1])
    assert "line 10" in said[-1]
    assert "The version before goes on." in said[-1]
    assert client.get("/hello").json() == {"hello": "world"}
    save(path, HELLO.replace("world", "again"))
    eventually(lambda: client.get("/hello").json() == {"hello": "again"})


def test_a_file_that_is_away_for_a_moment_ends_nothing(tmp_path, develop):
    """Many editors write a new file and put it in place of the old one."""
    path = tmp_path / "hello.py"
    path.write_text(HELLO)
    _, said, client = develop(path)
    path.rename(tmp_path / "elsewhere")
    eventually(lambda: "No such file" in said[-1])
    assert client.get("/hello").json() == {"hello": "world"}
    (tmp_path / "elsewhere").write_text(HELLO.replace("world", "again"))
    (tmp_path / "elsewhere").rename(path)
    eventually(lambda: client.get("/hello").json() == {"hello": "again"})


def test_a_project_may_begin_with_a_mistake(tmp_path, develop, save):
    scaffold("ada.notes", tmp_path / "notes")
    module = tmp_path / "notes" / "ada_notes" / "__init__.py"
    good = module.read_text()
    module.write_text("raise RuntimeError('not yet')")
    development, said, client = develop(tmp_path / "notes")
    assert "not yet" in said[-1]
    assert said[-1].endswith("Mend it: saving tries it again.")
    assert development.page().endswith(str(client.base_url.port))
    save(module, good)
    assert eventually(lambda: client.get("/notes").status_code == 200)
    client.post("/notes", json={"text": "milk"})
    manifest = module.with_name("plugin.json")
    save(manifest, manifest.read_text().replace("0.1.0", "0.2.0"))
    eventually(lambda: "0.2.0 is loaded" in said[-1])
    assert client.get("/notes").json() == [{"text": "milk"}], "data outlive a reload"


# Pack


def test_a_folder_without_a_project_becomes_a_zip(tmp_path):
    scaffold("ada.notes", tmp_path / "notes")
    (tmp_path / "notes" / "pyproject.toml").unlink()
    (tmp_path / "notes" / "ada_notes" / ".secret").write_text("x")
    package = pack(find_source(tmp_path / "notes"), tmp_path / "dist")
    assert package == tmp_path / "dist" / "ada.notes-0.1.0.zip"
    with zipfile.ZipFile(package) as archive:
        assert sorted(archive.namelist()) == ["__init__.py", "plugin.json"]


def test_a_package_is_no_part_of_itself_and_files_may_be_of_no_time(tmp_path):
    scaffold("ada.notes", tmp_path / "notes")
    (tmp_path / "notes" / "pyproject.toml").unlink()
    folder = tmp_path / "notes" / "ada_notes"
    os.utime(folder / "__init__.py", (0, 0))  # as reproducible builds leave them
    for _ in range(2):
        with zipfile.ZipFile(pack(find_source(folder), folder)) as archive:
            assert sorted(archive.namelist()) == ["__init__.py", "plugin.json"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "__init__.py", "ada.notes-0.1.0.zip", "plugin.json",
    ]  # fmt: skip


def test_what_cannot_be_packed_says_why(tmp_path):
    (tmp_path / "hello.py").write_text(HELLO)
    with pytest.raises(Invalid, match="no manifest"):
        pack(find_source(tmp_path / "hello.py"), tmp_path / "dist")
    scaffold("ada.notes", tmp_path / "notes")
    (tmp_path / "notes" / "ada_notes" / "__init__.py").unlink()
    (tmp_path / "notes" / "pyproject.toml").unlink()
    with pytest.raises(Invalid, match=r"no __init__\.py"):
        pack(find_source(tmp_path / "notes"), tmp_path / "dist")
    manifest = tmp_path / "notes" / "ada_notes" / "plugin.json"
    manifest.write_text(manifest.read_text().replace('"sdk"', '"skd"'))
    with pytest.raises(Invalid, match="sdk: is missing"):
        pack(find_source(tmp_path / "notes"), tmp_path / "dist")
