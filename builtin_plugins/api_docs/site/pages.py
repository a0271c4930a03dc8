"""The product's own pages, made from Markdown files when they are asked for."""

from __future__ import annotations

import json
import posixpath
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from builtin_plugins.api_docs.site.markdown import Rendered, Renderer, code_styles
from builtin_plugins.api_docs.site.paths import candidates, is_safe
from builtin_plugins.api_docs.site.template import page_html

__all__ = ["BASE", "Pages", "find_sources"]

BASE: Final = "/docusaurus/"
_ASSETS: Final = Path(__file__).parent.parent / "static"
_PAGE_ASSETS: Final = ("site.css", "site.js", "theme.js")
_SECTIONS: Final = {"": "Stagebox", "guide": "Guides", "api": "HTTP APIs"}
_FIRST: Final = (
    "index", "guide/quickstart", "guide/install", "guide/desk", "guide/admin",
    "guide/operating", "guide/trust", "guide/upgrades", "guide/plugins", "guide/data",
    "guide/events", "guide/permissions", "guide/frontend", "guide/providers", "guide/testing",
    "guide/packaging", "guide/hooks",
)  # fmt: skip
_MISSING: Final = "# Page not found\n\nThere is no such page. Try the search or the list of pages."

Signature = tuple[tuple[str, int, int], ...]


def find_sources() -> Path | None:
    """The Markdown files: in the package as it is installed, or beside it in a clone."""
    package = Path(__file__).parent.parent
    for folder in (package / "docs", package.parent.parent / "docs"):
        if folder.is_dir():
            return folder
    return None


@dataclass(frozen=True, slots=True)
class Page:
    """``name`` is its path without extension: ``guide/plugins``."""

    name: str
    rendered: Rendered

    @property
    def url(self) -> str:
        return page_url(self.name)

    @property
    def section(self) -> str:
        return self.name.rpartition("/")[0]

    @property
    def title(self) -> str:
        return self.rendered.title or self.name


@dataclass(frozen=True, slots=True)
class _Edition:
    """All files of the site as they were at one moment: name to content."""

    signature: Signature
    files: dict[str, bytes]
    broken: tuple[str, ...]


class Pages:
    """Rendered once, and again when a source has changed."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._renderer = Renderer()
        self._lock = threading.Lock()
        self._edition: _Edition | None = None

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Name and content of the file that a path means."""
        if not is_safe(path):
            return None
        files = self._current().files
        return next(((name, files[name]) for name in candidates(path) if name in files), None)

    def missing(self) -> bytes:
        """The page for what is not there."""
        return self._current().files["404.html"]

    def broken(self) -> Sequence[str]:
        """``page: target`` of each link that leads nowhere."""
        return self._current().broken

    def _current(self) -> _Edition:
        signature = self._sign()
        edition = self._edition
        if edition is None or edition.signature != signature:
            with self._lock:
                edition = self._edition
                if edition is None or edition.signature != signature:
                    edition = self._edition = self._make(signature)
        return edition

    def _sign(self) -> Signature:
        """What the sources are, without reading them."""
        if self._root is None:
            return ()
        found = []
        for path in sorted(self._root.rglob("*.md")):
            facts = path.stat()
            name = path.relative_to(self._root).as_posix()
            if is_safe(name):
                found.append((name, facts.st_mtime_ns, facts.st_size))
        return tuple(found)

    def _make(self, signature: Signature) -> _Edition:
        names = {name.removesuffix(".md") for name, _, _ in signature}
        pages = [Page(name, self._render(name, names)) for name in sorted(names, key=_rank)]
        navigation = _navigation(pages)
        files = {
            f"{page.name}.html": page_html(page.title, page.rendered, navigation, page.url).encode()
            for page in pages
        }
        missing = self._renderer.render(_MISSING, lambda _target: None)
        files["404.html"] = page_html(missing.title, missing, navigation, "").encode()
        files.setdefault("index.html", files["404.html"])
        files["assets/search.json"] = _search_index(pages)
        files["assets/code.css"] = code_styles().encode()
        for name in _PAGE_ASSETS:
            files[f"assets/{name}"] = (_ASSETS / name).read_bytes()
        broken = tuple(f"{page.name}: {each}" for page in pages for each in page.rendered.broken)
        return _Edition(signature, files, broken)

    def _render(self, name: str, names: set[str]) -> Rendered:
        assert self._root is not None
        text = (self._root / f"{name}.md").read_text(encoding="utf-8")
        return self._renderer.render(text, lambda target: _resolve(name, target, names))


def page_url(name: str) -> str:
    bare = name.removesuffix("index").rstrip("/") if name.endswith("index") else name
    return BASE + quote(bare)


def _resolve(page: str, target: str, names: set[str]) -> str | None:
    """The address of another page; links are written as paths of Markdown files, or from the
    host's root."""
    if target.startswith("/"):
        return target
    path, _, fragment = unquote(target).partition("#")
    name = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)).removesuffix(".md")
    if name not in names:
        return None
    return page_url(name) + (f"#{quote(fragment)}" if fragment else "")


def _rank(name: str) -> tuple[int, str, int, str]:
    """Order of navigation: the front page, guides, APIs, then the rest by name."""
    section = name.rpartition("/")[0]
    sections = list(_SECTIONS)
    place = sections.index(section) if section in sections else len(sections)
    first = _FIRST.index(name) if name in _FIRST else len(_FIRST)
    return place, section, first, name


def _navigation(pages: Sequence[Page]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Sections with titles and addresses of their pages."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for page in pages:
        sections.setdefault(page.section, []).append((page.title, page.url))
    return [
        (_SECTIONS.get(section, section.replace("-", " ").title()), entries)
        for section, entries in sections.items()
    ]


def _search_index(pages: Sequence[Page]) -> bytes:
    """A list of ``{url, page, title, text}``, one for each heading."""
    entries = [
        {
            "url": page.url if heading.level == 1 else f"{page.url}#{quote(heading.anchor)}",
            "page": page.title,
            "title": heading.title,
            "text": heading.text,
        }
        for page in pages
        for heading in page.rendered.headings
    ]
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
