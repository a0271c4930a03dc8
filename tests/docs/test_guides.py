"""What the guides show is run, word by word."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from plugin_sdk import Plugin

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(path: str, language: str) -> list[str]:
    text = (ROOT / path).read_text(encoding="utf-8")
    return [body for kind, body in BLOCK.findall(text) if kind == language]


def plugins_of(code: str) -> list[type[Plugin]]:
    namespace: dict[str, object] = {"__name__": "shown"}
    exec(compile(code, "guide", "exec"), namespace)  # our own documentation
    for name, value in namespace.items():
        if name.startswith("test_") and callable(value):
            value()
    found = {
        value
        for value in namespace.values()
        if isinstance(value, type) and issubclass(value, Plugin) and value is not Plugin
    }
    return sorted(found, key=lambda cls: cls.__name__)


def test_the_readme_s_plugin_answers(make_host, write_plugin):
    (manifest,) = blocks("README.md", "json")
    (code,) = blocks("README.md", "python")
    document = json.loads(manifest)
    host = make_host(write_plugin(document.pop("id"), code, **document))
    assert host.get("/api/plugins/hello/hello?name=you").json() == {"hello": "you"}
    assert host.get("/api/plugins/hello/hello").json() == {"hello": "world"}


def test_the_guide_s_first_plugin_keeps_notes(make_host, write_plugin):
    (manifest,) = blocks("docs/guide/plugins.md", "json")
    code = blocks("docs/guide/plugins.md", "python")[0]
    document = json.loads(manifest)
    host = make_host(write_plugin(document.pop("id"), code, **document))
    path = "/api/plugins/example.notes/notes"
    assert host.post(path, json={"text": "milk"}).status == 201
    assert host.get(path).json() == [{"text": "milk"}]
    assert host.post(path, json={"text": ""}).status == 400
    assert host.post(path, json={"txt": "x"}).json()["details"]


@pytest.mark.parametrize("code", blocks("docs/guide/plugins.md", "python")[1:])
def test_every_plugin_of_the_guide_starts(code, make_host):
    found = plugins_of(code)
    assert found
    host = make_host(*found)
    for cls in found:
        assert host.entry(cls.__name__.lower()).state == "active"


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
