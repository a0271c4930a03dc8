from __future__ import annotations

import re
from pathlib import Path

import soundboard
from soundboard import EDIT, Soundboard

from plugin_sdk import Principal, TextBody
from plugin_sdk.testing import FakeContext, request, signed_in

FOLDER = Path(soundboard.__file__).parent


def page(board: Soundboard, principal: Principal | None = None) -> str:
    body = board.board(request(principal=principal)).body
    assert isinstance(body, TextBody)
    return body.content.decode()


def test_the_page_is_offered_to_people(board: Soundboard) -> None:
    [offered] = board.pages()
    assert offered.path in [route.path for route in board.routes()]


def test_what_the_page_loads_is_shipped(board: Soundboard) -> None:
    files = re.findall(r'"/api/plugins/example\.soundboard/file/([^"?]+)\?v=1\.0\.0"', page(board))
    assert sorted(files) == ["static/board.css", "static/board.js", "static/icon.svg"]
    assert all((FOLDER / file).is_file() for file in files)


def test_nothing_on_the_page_is_inline(board: Soundboard) -> None:
    html = page(board)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script[^>]*>(?!</script>)", html)
    assert "$" not in html, "a placeholder was left open"


def test_settings_are_shown_as_text(board: Soundboard, context: FakeContext) -> None:
    context.settings.update({"title": "<script>$version", "volume": 0.25})
    html = page(board)
    assert "<h1>&lt;script&gt;$version</h1>" in html
    assert 'value="0.25"' in html


def test_only_editors_see_what_changes_the_board(board: Soundboard) -> None:
    assert 'data-can-edit="false"' in page(board)
    assert 'data-can-edit="false"' in page(board, signed_in())
    assert 'data-can-edit="true"' in page(board, signed_in(EDIT))
