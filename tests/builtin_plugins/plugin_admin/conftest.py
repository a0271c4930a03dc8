"""A plugin with all that can be shown of one, in a host of its own or in one for many tests."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from host.testing import TestHost

CODE = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": self.context.settings["greeting"]}

        @route("POST", "/keep", access="open")
        def keep(self, request):
            self.context.data.set("kept", request.json())
            return {"kept": self.context.data.get("kept")}

        @route("GET", "/keep", access="open")
        def kept(self, request):
            return {"kept": self.context.data.get("kept")}
"""
SETTINGS = {
    "type": "object",
    "properties": {
        "greeting": {"type": "string", "default": "world"},
        "count": {"type": "integer", "minimum": 1},
        "password": {"type": "string", "writeOnly": True},
    },
}
MANIFEST: dict[str, Any] = {
    "id": "themes",
    "name": "Themes",
    "version": "1.2.0",
    "sdk": ">=1,<2",
    "description": "Colours",
    "authors": [{"name": "A"}],
    "license": "MIT",
    "permissions": [{"name": "themes:manage", "description": "Change the theme"}],
    "settings": SETTINGS,
    "settingsHtml": "settings.html",
    "frontend": {
        "scripts": ["static/themes.js"],
        "styles": ["static/a b.css"],
        "pages": [{"path": "page.html", "title": "Themes"}],
    },
}
FILES = (
    "static/themes.js",
    "static/a b.css",
    "static/a\x85b.css",
    "static/x.svg",
    "static/.hidden",
    "page.html",
)


def written(folder: Path) -> Path:
    """The plugin's folder."""
    (folder / "static").mkdir(parents=True)
    (folder / "plugin.json").write_text(json.dumps(MANIFEST))
    (folder / "__init__.py").write_text(textwrap.dedent(CODE))
    for name in FILES:
        (folder / name).write_text(f"/* {name} */")
    (folder / "settings.html").write_text("<form>…</form>")
    (folder / "secret.txt").write_text("secret")
    (folder / "static" / "code.py").write_text("x = 1")
    return folder


def linked(host: TestHost) -> TestHost:
    """With a link, which cannot be installed."""
    (host.data_dir / "plugins" / "themes" / "static" / "link.txt").symlink_to("/etc/passwd")
    return host


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    """For tests that change nothing."""
    folder = tmp_path_factory.mktemp("themes")
    with TestHost(folder / "data", plugins=[written(folder / "themes")]) as host:
        yield linked(host)


@pytest.fixture
def host(make_host: Callable[..., TestHost], tmp_path: Path) -> TestHost:
    return linked(make_host(written(tmp_path / "themes")))
