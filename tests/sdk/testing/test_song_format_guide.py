"""The guide's own format keeps the promises of the suite that the guide shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plugin_sdk.testing import FakeContext

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "song-formats.md"


@pytest.fixture
def code() -> list[str]:
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)


def test_the_guide_s_format_passes_the_guide_s_suite(code, run_pytest):
    format_code, suite_code = code
    test = "from tabs import Tabs\n" + suite_code
    outcome = run_pytest(test, files={"tabs.py": format_code})
    assert outcome.failed == {}
    assert len(outcome.passed) >= 13


def test_the_guide_s_plugin_offers_its_format(code):
    namespace: dict[str, object] = {"__name__": "shown"}
    exec(compile(code[0], "guide", "exec"), namespace)  # our own documentation
    with FakeContext("example.tabs") as context:
        started = context.start(namespace["plugin"])
        assert context.providers.get("song_format", "tabs").suffixes == {".tab"}
        context.stop(started)
