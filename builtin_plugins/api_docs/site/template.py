"""The frame around each page of the site."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from builtin_plugins.api_docs.site.markdown import Heading, Rendered

__all__ = ["page_html"]

Navigation = Sequence[tuple[str, Sequence[tuple[str, str]]]]

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'"
)
"""The header's is that of the contract, wide enough for sites that others have built. A browser
holds a page to both, so nothing inline runs in ours."""

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<script src="/docusaurus/assets/theme.js"></script>
<link rel="stylesheet" href="/docusaurus/assets/site.css">
<link rel="stylesheet" href="/docusaurus/assets/code.css">
<script type="module" src="/docusaurus/assets/site.js"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the text</a>
<header class="bar">
<a class="brand" href="/docusaurus/">Stagebox</a>
<form class="search" role="search" hidden>
<label for="search">Search</label>
<input id="search" type="search" placeholder="Search ( / )" autocomplete="off"
aria-controls="results">
</form>
<a class="quiet" href="/docs">API reference</a>
<button class="theme" type="button" hidden>Light or dark</button>
</header>
<section id="results" class="results" aria-label="Search results" hidden>
<p role="status"></p>
<ol></ol>
</section>
<div class="columns">
<nav class="pages" aria-label="Pages">
<details open>
<summary>Pages</summary>
{navigation}
</details>
</nav>
<main id="content" tabindex="-1">
{content}
</main>
{contents}
</div>
</body>
</html>
"""


def page_html(title: str, rendered: Rendered, navigation: Navigation, url: str) -> str:
    """``url`` is the page's own, so that it is marked in the list of pages."""
    shown = title if title == "Stagebox" else f"{title} · Stagebox"
    return _PAGE.format(
        policy=_POLICY,
        title=escape(shown),
        navigation="\n".join(_section(name, pages, url) for name, pages in navigation),
        content=rendered.html,
        contents=_contents([each for each in rendered.headings if each.level in (2, 3)]),
    )


def _section(name: str, pages: Sequence[tuple[str, str]], url: str) -> str:
    entries = "\n".join(
        f'<li><a href="{escape(address)}"{_current(address == url)}>{escape(title)}</a></li>'
        for title, address in pages
    )
    return f"<h2>{escape(name)}</h2>\n<ul>\n{entries}\n</ul>"


def _current(here: bool) -> str:
    return ' aria-current="page"' if here else ""


def _contents(headings: Sequence[Heading]) -> str:
    if len(headings) < 2:
        return ""
    entries = "\n".join(
        f'<li class="level-{each.level}"><a href="#{escape(each.anchor)}">'
        f"{escape(each.title)}</a></li>"
        for each in headings
    )
    return f'<nav class="contents" aria-label="On this page">\n<ul>\n{entries}\n</ul>\n</nav>'
