"""Markdown to HTML: CommonMark with tables, links among the pages, code in colours."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

__all__ = ["Heading", "Rendered", "Renderer", "code_styles"]

Resolve = Callable[[str], str | None]
"""What a relative link becomes, or None for one that leads nowhere."""

_FOREIGN: Final = re.compile(r"(https?|mailto):", re.IGNORECASE)
_FORMATTER: Final = {"nowrap": True}
_LIGHT: Final = "default"
_DARK: Final = "github-dark"


@dataclass(frozen=True, slots=True)
class Heading:
    """``text`` is what stands below it, up to the next heading, without markup."""

    level: int
    anchor: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    title: str
    html: str
    headings: Sequence[Heading]
    broken: Sequence[str]
    """Relative links that lead nowhere; they are shown as plain text."""


class Renderer:
    """Compiled once; HTML in the source is shown, not taken."""

    def __init__(self) -> None:
        self._md = MarkdownIt("commonmark", {"html": False, "highlight": _highlight})
        self._md.enable(["table", "strikethrough"])
        rules: Any = self._md.renderer
        rules.rules["table_open"] = lambda *_: (
            '<div class="table" role="region" aria-label="Table" tabindex="0"><table>\n'
        )
        rules.rules["table_close"] = lambda *_: "</table></div>\n"

    def render(self, text: str, resolve: Resolve) -> Rendered:
        tokens = self._md.parse(text)
        headings = _headings(tokens)
        broken = _link(tokens, resolve)
        html = self._md.renderer.render(tokens, self._md.options, {})
        title = next((each.title for each in headings if each.level == 1), "")
        return Rendered(title, html, headings, broken)


def code_styles() -> str:
    """CSS for the classes that highlighted code has, light and dark."""
    light: str = HtmlFormatter(style=_LIGHT).get_style_defs("code.hl")
    dark: str = HtmlFormatter(style=_DARK).get_style_defs(":root[data-theme=dark] code.hl")
    system: str = HtmlFormatter(style=_DARK).get_style_defs(":root:not([data-theme=light]) code.hl")
    return f"{light}\n{dark}\n@media (prefers-color-scheme: dark) {{\n{system}\n}}\n"


def _highlight(code: str, language: str, _attributes: str) -> str:
    try:
        lexer = get_lexer_by_name(language) if language else None
    except ClassNotFound:
        lexer = None
    inner = highlight(code, lexer, HtmlFormatter(**_FORMATTER)) if lexer else escape(code)
    return f'<pre tabindex="0"><code class="hl">{inner}</code></pre>'


def _headings(tokens: Sequence[Token]) -> list[Heading]:
    """Gives each heading its anchor, and gathers what stands below it."""
    used: set[str] = set()
    found: list[tuple[int, str, str, list[str]]] = []
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            title = _plain(tokens[number + 1])
            anchor = _anchor(title, used)
            token.attrSet("id", anchor)
            found.append((int(token.tag[1:]), anchor, title, []))
        elif found and token.type in ("inline", "fence", "code_block"):
            if number and tokens[number - 1].type == "heading_open":
                continue
            found[-1][3].append(_plain(token))
    return [Heading(level, anchor, title, " ".join(text)) for level, anchor, title, text in found]


def _plain(token: Token) -> str:
    if token.children is None:
        return " ".join(token.content.split())
    parts = (" " if "break" in each.type else each.content for each in token.children)
    return " ".join("".join(parts).split())


def _anchor(title: str, used: set[str]) -> str:
    """As GitHub makes them: lower case, hyphens for spaces, a number for the second."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    base = kept.strip().replace(" ", "-") or "section"
    anchor, number = base, 0
    while anchor in used:
        number += 1
        anchor = f"{base}-{number}"
    used.add(anchor)
    return anchor


def _link(tokens: Sequence[Token], resolve: Resolve) -> list[str]:
    """Rewrites relative links and pictures; returns those that lead nowhere."""
    broken: list[str] = []
    for block in tokens:
        dropped = False
        for token in block.children or ():
            if token.type == "link_open":
                dropped = not _rewrite(token, "href", resolve, broken)
            elif token.type == "image" and not _rewrite(token, "src", resolve, broken):
                token.attrs.pop("src", None)
            if token.type in ("link_open", "link_close") and dropped:
                token.tag, token.attrs = "span", {}
    return broken


def _rewrite(token: Token, attribute: str, resolve: Resolve, broken: list[str]) -> bool:
    target = str(token.attrGet(attribute) or "")
    if _FOREIGN.match(target):
        if attribute == "src":  # nothing is loaded from another host
            broken.append(target)
            return False
        token.attrSet("rel", "noreferrer")
        return True
    address = target if target.startswith("#") else resolve(target)
    if address is None:
        broken.append(target)
        return False
    token.attrSet(attribute, address)
    return True
