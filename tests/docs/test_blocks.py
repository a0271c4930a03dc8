"""Every code block of every page is run, or says in the page's source why it is not.

Python is executed: its tests run, its plugins start. Shell is typed beside a real host, and what
stands below as its answer is compared. JSON is read, manifests and answers are checked; what
configures a server is given to that server's own checker where it is installed.
"""

from __future__ import annotations

import configparser
import inspect
import json
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from host.config import load_config
from host.plugins.manifests import check_manifest
from host.testing import TestHost
from plugin_sdk import Plugin
from tests.docs.pages import Block, blocks_of, every_block, pages
from tests.docs.shell import CommandLine, Shell

pytestmark = pytest.mark.one_engine  # what a page shows is the same on either

ELSEWHERE = {
    "docs/guide/quickstart.md": {"python", "sh", "json", "text"},  # test_quickstart.py
    "docs/guide/hooks.md": {"python", "text"},  # test_author_pages.py
    "docs/guide/testing.md": {"python"},  # test_author_pages.py
    "docs/guide/song-formats.md": {"python"},  # tests/sdk/testing/test_song_format_guide.py
}
"""Languages whose blocks on that page have a test of their own."""

FRESH = {"README.md", "docs/guide/install.md"}
"""They make the first profile, so they are read on a host of their own."""


def run_here(page: str, *languages: str) -> list[Block]:
    """The blocks of a page that are run by this module, of these languages."""
    left = set(languages) - ELSEWHERE.get(page, set())
    return [block for block in blocks_of(page) if block.language in left and not block.not_run]


def each(language: str) -> pytest.MarkDecorator:
    found = [block for page in pages() for block in run_here(page, language)]
    return pytest.mark.parametrize("block", found, ids=str)


# Python


class Shown:
    """The Python of one page, executed from the first block to the last in one namespace."""

    def __init__(self, page: str) -> None:
        self.plugins: list[type[Plugin]] = []
        self.tests: dict[str, Callable[..., object]] = {}
        self.suites: dict[str, type] = {}
        namespace: dict[str, Any] = {"__name__": "shown"}
        manifest: dict[str, Any] = {}
        for block in run_here(page, "json", "python"):
            if block.language == "json" and '"sdk"' in block.body:
                manifest = json.loads(block.body)
            elif block.language == "python":
                before = dict(namespace)
                exec(compile(block.body, str(block), "exec"), namespace)  # our own pages
                new = {
                    key: value for key, value in namespace.items() if before.get(key) is not value
                }
                self._keep(page, new, manifest)
                manifest = {}

    def _keep(self, page: str, new: dict[str, Any], manifest: dict[str, Any]) -> None:
        for name, value in new.items():
            if name.startswith("test_"):
                self.tests[f"{page}:{name}"] = value
            elif name.startswith("Test"):
                self.suites[name] = value
            elif isinstance(value, type) and issubclass(value, Plugin) and value is not Plugin:
                stem = Path(page).stem.replace("-", "_").lower()
                own = {"id": f"{stem}.{value.__name__.lower()}", **manifest}
                vars_of: Any = value
                vars_of.manifest = {**own, **value.__dict__.get("manifest", {})}
                if value not in self.plugins:
                    self.plugins.append(value)


SHOWN = {page: Shown(page) for page in pages()}
TESTS = {name: test for shown in SHOWN.values() for name, test in shown.tests.items()}
PLUGINS = [cls for shown in SHOWN.values() for cls in shown.plugins]
globals().update({name: cls for shown in SHOWN.values() for name, cls in shown.suites.items()})


@pytest.mark.parametrize("name", TESTS)
def test_the_tests_that_pages_show_pass(name, request):
    test = TESTS[name]
    test(**{each: request.getfixturevalue(each) for each in inspect.signature(test).parameters})


# A host for all pages, and one for those that set it up


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestHost, dict[str, str]]]:
    """The host, and the states of its plugins before a page switches one off."""
    with TestHost(tmp_path_factory.mktemp("data"), plugins=PLUGINS) as host:
        ids = [cls.manifest["id"] for cls in PLUGINS]
        yield host, {each: host.entry(each).state for each in ids}


@pytest.fixture(scope="module")
def served(started: tuple[TestHost, dict[str, str]]) -> TestHost:
    return started[0]


@pytest.fixture(scope="module")
def shells(
    served: TestHost, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Shell]]:
    with ExitStack() as stack:
        command_line = stack.enter_context(CommandLine())
        known: dict[str, Shell] = {}

        def shell(page: str) -> Shell:
            if page not in known:
                host = served
                if page in FRESH:
                    host = stack.enter_context(TestHost(tmp_path_factory.mktemp("fresh")))
                    host.enable("example.soundboard")  # as `make serve` does
                # Where people have folders: the media plugin scans none below /dev, whatever
                # memory is there.
                home = Path(tempfile.mkdtemp(prefix="stagebox-home-", dir="/tmp"))
                stack.callback(shutil.rmtree, home)
                prepare(home, host.url)
                port = int(host.url.rpartition(":")[2])
                known[page] = Shell(home, host.data_dir, port, command_line)
            return known[page]

        yield shell


def prepare(home: Path, url: str) -> None:
    """The files that pages speak of; what they call /srv, /media and so on is below ``home``."""
    for name in ("srv/songs", "media/films", "media/shows", "hello", "opt", "var/lib", "etc"):
        (home / name).mkdir(parents=True)
    Image.new("RGB", (64, 64), "navy").save(home / "fish.png")
    (home / "hello/__init__.py").write_text(blocks_of("README.md", "python")[0].body)
    (home / "hello/plugin.json").write_text(blocks_of("README.md", "json")[0].body)
    bob = {"alias": "Bob", "public_key": "07" * 32, "drop_urls": [f"{url}/drops/{'a' * 43}"]}
    (home / "bob.json").write_text(json.dumps(bob))


@pytest.mark.parametrize("cls", PLUGINS, ids=lambda cls: cls.manifest["id"])
def test_the_plugins_that_pages_show_start(cls, started):
    assert started[1][cls.manifest["id"]] == "active"


def steps() -> list[list[Block]]:
    """The shell of each page, with what is said to be the answer."""
    found = [run_here(page, "sh", "json", "text") for page in pages()]
    return [blocks for blocks in found if any(block.language == "sh" for block in blocks)]


@pytest.mark.parametrize("blocks", steps(), ids=lambda blocks: blocks[0].page)
def test_what_pages_type_works_and_prints_what_they_say(blocks, shells):
    shell = shells(blocks[0].page)
    printed, last = "", 0
    for block in blocks:
        if block.language == "sh":
            try:
                printed, last = shell.type(block.body), block.line
            except AssertionError as error:
                raise AssertionError(f"{block}: {error}") from None
        elif last and block.language == "text":
            for line in block.body.splitlines():
                shape = re.sub(r"\d+", r"\\d+", re.escape(line.strip()))
                assert re.search(shape, printed), f"{block}: {line}\nnot in\n{printed}"
        elif last and '"sdk"' not in block.body:
            assert shape_of(json.loads(printed)) == shape_of(json.loads(block.body)), str(block)


def shape_of(value: Any) -> Any:
    """Names and types: what stands there as an example may have other values."""
    if isinstance(value, dict):
        return {name: shape_of(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape_of(each) for each in value[:1]]
    return type(value).__name__


# What is read


@each("json")
def test_json_is_json(block):
    document = json.loads(block.body)
    if isinstance(document, dict) and {"id", "sdk"} <= document.keys():
        check_manifest(document, bundled=False, folder=None)


@each("toml")
def test_toml_is_read_by_the_host(block, tmp_path):
    document = tomllib.loads(block.body)
    if "project" in document:
        assert document["project"]["entry-points"]["stagebox.plugins"]
        return
    (tmp_path / "stagebox.toml").write_text(block.body)
    config = load_config({"data_dir": str(tmp_path)}, {})
    assert config.data_dir == tmp_path


@each("ini")
def test_units_are_taken_by_systemd(block, tmp_path):
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block.body)
    assert {"Unit", "Service"} <= set(unit.sections())
    if shutil.which("systemd-analyze") is None:
        return
    program = unit["Service"]["ExecStart"].split()[0]
    file = tmp_path / "stagebox.service"
    file.write_text(block.body.replace(program, "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if "stagebox.service" in line]
    assert not complaints, complaints


@each("nginx")
def test_nginx_takes_its_configuration(block, tmp_path):
    assert block.body.count("{") == block.body.count("}")
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        return
    body = re.sub(r"^\s*(ssl_certificate\w*|listen [^;]*ssl)[^;]*;$", "", block.body, flags=re.M)
    own = f"pid {tmp_path}/pid; error_log stderr; events {{}}\nhttp {{ access_log off;\n"
    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        own += f"{name}_temp_path {tmp_path}/{name};\n"
    (tmp_path / "nginx.conf").write_text(f"{own}{body}\n}}\n")
    done = subprocess.run(
        [program, "-t", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@each("caddy")
def test_caddy_is_given_whole_blocks(block, tmp_path):
    """As far as can be told without the program."""
    assert re.fullmatch(r"\S+ \{\n(    \w+( \S+)*\n)+\}\n", block.body)
    program = shutil.which("caddy")
    if program is not None:
        (tmp_path / "Caddyfile").write_text(block.body)
        command = [program, "validate", "--adapter", "caddyfile", "--config"]
        subprocess.run(
            [*command, str(tmp_path / "Caddyfile")], check=True, env={"HOME": str(tmp_path)}
        )


@each("js")
def test_scripts_are_scripts(block, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    (tmp_path / "shown.mjs").write_text(block.body)
    done = subprocess.run([node, "--check", str(tmp_path / "shown.mjs")], capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


# Nothing is left over

LANGUAGES = {"python", "sh", "json", "toml", "ini", "nginx", "caddy", "js", "text"}


def test_every_block_has_a_language_that_is_tested():
    assert [str(each) for each in every_block() if each.language not in LANGUAGES] == []


def test_a_text_stands_below_the_commands_that_print_it():
    for page in pages():
        typed = False
        for block in run_here(page, "sh", "text"):
            typed = typed or block.language == "sh"
            assert typed, str(block)


def test_what_is_not_run_says_why():
    marked = [each for each in every_block() if each.not_run]
    for block in marked:
        assert len(block.not_run.split()) >= 3, f"{block}: {block.not_run}"
    assert Counter(each.page for each in marked) == NOT_RUN


NOT_RUN = {
    "docs/api/open-groups.md": 1,
    "docs/api/songs.md": 1,
    "docs/guide/admin.md": 3,
    "docs/guide/frontend.md": 2,
    "docs/guide/operating.md": 2,
    "docs/guide/packaging.md": 1,
    "docs/guide/permissions.md": 1,
    "docs/guide/plugins.md": 1,
    "docs/guide/testing.md": 2,
    "docs/guide/upgrades.md": 1,
}
"""How many blocks of each page are only shown: one more is to be thought about."""
