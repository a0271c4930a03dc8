"""The help of commands that plugins contribute."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from host.cli.contributed import _made
from plugin_sdk import Argument, Command

NAP = Command(
    "nap",
    lambda io, **values: io.print(json.dumps(values)),
    "Sleep for a while.",
    (
        Argument("kind", "How deep", choices=("light", "deep")),
        Argument("where", "One place, or several.", required=False, multiple=True),
        Argument("--minutes", "How long", type="integer", required=False, default=20),
        Argument("--snore", "Be heard", flag=True),
    ),
)


def test_arguments_and_defaults_are_explained_in_sentences() -> None:
    shown = CliRunner().invoke(_made(NAP), ["--help"]).stdout
    assert "nap [OPTIONS] KIND [WHERE...]" in shown
    for line in (
        "KIND   How deep.  [light|deep]",
        "WHERE  One place, or several.",
        "--minutes INTEGER     How long.  [default: 20]",
        "--snore               Be heard.",
        "--data-dir DIRECTORY  Where everything is kept.",
        "--database URL        A PostgreSQL database",
    ):
        assert line in shown


@pytest.mark.parametrize(
    ("typed", "heard"),
    [
        (["deep"], {"minutes": 20, "snore": False, "kind": "deep", "where": []}),
        (
            ["light", "here", "there", "--minutes", "3", "--snore"],
            {"minutes": 3, "snore": True, "kind": "light", "where": ["here", "there"]},
        ),
    ],
)
def test_what_is_typed_reaches_the_plugin(typed: list[str], heard: dict[str, Any]) -> None:
    answer = CliRunner().invoke(_made(NAP), typed)
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout) == heard
