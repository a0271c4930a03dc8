"""The code blocks of our pages: what each is, where it stands, and why it is not run if it is not.

The first word behind the fence is the language. More may follow, which no renderer shows:
``title="hello.py"`` names a file, ``not-run="reason"`` says why a block is only shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ROOT", "Block", "blocks_of", "every_block", "pages"]

ROOT: Final = Path(__file__).parents[2]

_FENCE: Final = re.compile(
    r"^(?P<indent>[ ]*)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)```[ ]*$", re.M | re.S
)
_WORD: Final = re.compile(r'([a-z-]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Block:
    """``page`` is a path from the root of the sources, ``line`` that of the opening fence."""

    page: str
    line: int
    language: str
    body: str
    title: str = ""
    not_run: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """README.md and every page of docs/ that people read; decisions are records, not pages."""
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return ["README.md", *(each for each in found if not each.startswith("docs/decisions/"))]


def blocks_of(page: str, language: str = "") -> list[Block]:
    """In their order; all, or those of one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [each for each in _blocks(page, text) if language in ("", each.language)]


def every_block() -> list[Block]:
    return [block for page in pages() for block in blocks_of(page)]


def _blocks(page: str, text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        language, _, rest = found["info"].strip().partition(" ")
        words = dict(_WORD.findall(rest))
        indent = len(found["indent"])
        body = "".join(line[indent:] for line in found["body"].splitlines(keepends=True))
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, language, body, words.get("title", ""), words.get("not-run", ""))
