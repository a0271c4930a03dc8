"""What the guides' plugins answer; that all pages' blocks run is for `test_blocks`."""

from __future__ import annotations

import json
import re

import pytest

from tests.docs.pages import ROOT, blocks_of

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
