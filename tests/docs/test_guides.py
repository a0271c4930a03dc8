"""What the guides' plugins answer; that all pages' blocks run is for `test_blocks`."""

from __future__ import annotations

import json
import re

import click
import pytest
from click.testing import CliRunner

from host.cli import main
from tests.docs.pages import ROOT, blocks_of, every_block, pages

pytestmark = pytest.mark.one_engine  # what a page shows is the same on either
GUIDE = "docs/guide/plugins.md"


def test_the_plugins_of_readme_and_guide_answer(make_host, write_plugin):
    host = make_host(*(write(write_plugin, page) for page in ("README.md", GUIDE)))
    assert host.get("/api/plugins/hello/hello?name=you").json() == {"hello": "you"}
    assert host.get("/api/plugins/hello/hello").json() == {"hello": "world"}
    path = "/api/plugins/example.notes/notes"
    assert host.post(path, json={"text": "milk"}).status == 201
    assert host.get(path).json() == [{"text": "milk"}]
    assert host.post(path, json={"text": ""}).status == 400
    assert host.post(path, json={"txt": "x"}).json()["details"]


def write(write_plugin, page):
    """The first plugin of a page, of its first manifest."""
    document = json.loads(blocks_of(page, "json")[0].body)
    return write_plugin(document.pop("id"), blocks_of(page, "python")[0].body, **document)


def test_links_between_the_guides_lead_somewhere():
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_manual_s_options_are_those_of_the_host():
    from host.config import OPTIONS

    text = (ROOT / "docs/guide/admin.md").read_text(encoding="utf-8")
    for name in OPTIONS:
        assert f"`{name}`" in text, name


def test_every_command_and_option_that_pages_name_exists(tmp_path):
    """In running text and tables too, where nothing is run."""
    switch_on = ["--data-dir", str(tmp_path), "plugin", "enable", "drop_server"]
    assert CliRunner().invoke(main, switch_on).exit_code == 0
    root = click.Context(main, obj={"data_dir": str(tmp_path)})
    named = [
        (page, text)
        for page in pages()
        for text in re.findall(r"`(stagebox [^`]+)`", (ROOT / page).read_text(encoding="utf-8"))
    ]
    named += [
        (str(block), line)
        for block in every_block()
        if block.language == "sh" and block.not_run
        for line in re.findall(r"^(?:\S*/)?(stagebox .*)$", block.body, re.M)
    ]
    assert len(named) > 50
    with root:
        for place, text in named:
            assert not unknown(root, text), f"{place}: {text}"


def unknown(root: click.Context, text: str) -> str:
    """The first word of a command line that means nothing."""
    command: click.Command = main
    known = options(main)
    for word in text.partition("#")[0].split()[1:]:
        word = word.strip("[]|…,.")
        if word.startswith("-"):
            if word.partition("=")[0] not in known:
                return word
        elif isinstance(command, click.Group):
            either = [command.get_command(root, each) for each in word.split("|")]
            if None in either and re.fullmatch(r"[a-z_|]+", word):
                return word
            for found in filter(None, either):
                command, known = found, known | options(found)
    return ""


def options(command: click.Command) -> set[str]:
    with click.Context(command) as context:
        return {name for each in command.get_params(context) for name in each.opts}
