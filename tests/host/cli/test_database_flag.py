"""Every command takes the database in the same ways, and says in one sentence that it is away."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from host.cli.main import main
from host.db.postgresql.address import parse_address
from host.errors import ConfigurationError

pytestmark = pytest.mark.one_engine  # about an address at which nobody is

SECRET = "sEcReT77"
COMMANDS = {
    "own": ["provider", "list"],
    "contributed": ["openapi"],
    "of a group": ["rooms", "list"],
    "of nobody": ["nonsense"],
}


def url(name: str) -> str:
    return f"postgresql://joe:{SECRET}@127.0.0.1:1/{name}"


def run(tmp_path: Path, *arguments: str, **env: str) -> Result:
    return CliRunner().invoke(
        main, arguments, env={"STAGEBOX_DATA_DIR": str(tmp_path), "STAGEBOX_DATABASE": None, **env}
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_that_is_away_is_one_sentence(tmp_path: Path, command: str) -> None:
    words = COMMANDS[command]
    file = tmp_path / "stagebox.toml"
    file.write_text(f'database = "{url("of_file")}"')
    asked = {
        "of_file": run(tmp_path, *words),
        "of_variable": run(tmp_path, *words, STAGEBOX_DATABASE=url("of_variable")),
        "of_flag": run(tmp_path, *words, "--database", url("of_flag"), STAGEBOX_DATABASE=url("x")),
        "in_front": run(tmp_path, f"--database={url('in_front')}", *words),
    }
    if command == "of a group":
        asked["amid"] = run(tmp_path, words[0], f"--database={url('amid')}", *words[1:])
    for name, answer in asked.items():
        sentence = f"The database {name} at 127.0.0.1:1 cannot be reached: Connection refused.\n"
        assert (answer.exit_code, answer.output) == (1, sentence)


def test_the_help_helps_without_a_database(tmp_path: Path) -> None:
    answer = run(tmp_path, "--database", url("away"), "--help")
    assert answer.exit_code == 0
    assert "Commands of plugins are not available: The database away" in answer.stderr
    assert "migrate" in answer.stdout


def test_a_flag_of_every_command_needs_its_value(tmp_path: Path) -> None:
    answer = run(tmp_path, "openapi", "--database")
    assert answer.exit_code == 2
    assert "requires an argument" in answer.stderr


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://joe:p@{SECRET}@127.0.0.1:1/name",
        f"postgresql://joe:{SECRET}/x@127.0.0.1:1/name",
        f"postgresql://joe:p?x@{SECRET}@127.0.0.1:1/name",
        f"postgresql://joe:1/{SECRET}?x=p@127.0.0.1:1/name",
        f"postgresql://joe:{SECRET}%zz@127.0.0.1:1/name",
        f"postgresql://joe@127.0.0.1:1/name?nothing={SECRET}",
        f"postgresql://joe:{SECRET}@[::1/name",
    ],
)
def test_a_password_that_was_written_wrongly_is_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_address(text)
    assert SECRET not in caught.value.message
    assert "percent-encoded" in caught.value.message


def test_what_is_shown_of_an_address() -> None:
    assert parse_address(f"postgres://joe:{SECRET}%40%2F@db.example:5433/a%40b").shown == (
        "a@b at db.example:5433"
    )
    assert parse_address(f"postgresql://joe:p?{SECRET}@db/x").shown == "x at db"
    assert parse_address(f"postgresql://joe@one,two/x?password={SECRET}@").shown == "x at one,two"
    assert parse_address("postgresql://one:1,two:2/x").shown == "x at one:1,two:2"


def test_of_several_hosts_the_one_is_taken_that_takes_writes() -> None:
    """A standby would say so to whoever writes first, as if that were wrong."""
    assert parse_address("postgresql://one,two/x").options["target_session_attrs"] == "primary"
    url = "postgresql://one,two/x?target_session_attrs=any"
    assert parse_address(url).options["target_session_attrs"] == "any"
