"""The commands about plugins: what they say, and what they leave alone when something is wrong."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from host.authoring import scaffold
from host.cli import authoring, plugins, uninstalling
from host.cli.main import main
from host.cli.session import telling_errors
from host.testing import TestHost
from plugin_sdk import Invalid

CODE = """
    from plugin_sdk import Command, Plugin

    class plugin(Plugin):
        def commands(self):
            return [Command("greet", lambda io: io.print("Hello"), "Say hello.")]
"""


def test_a_full_disk_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, telling_errors():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "No space left on device.\n"


def test_whoever_reads_no_further_is_no_error() -> None:
    with pytest.raises(BrokenPipeError), telling_errors():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_asking_for_help_makes_no_data(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--data-dir", str(tmp_path / "new"), "--help"])
    assert done.exit_code == 0
    assert "Commands of plugins:" in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "typed", [["-k", "note", "-x"], [".", "-k", "note", "-x"], ["--", "-k", "note", "-x"]]
)
def test_arguments_of_pytest_need_no_path_before_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str]
) -> None:
    scaffold("ada.notes", tmp_path)
    monkeypatch.chdir(tmp_path)
    ran: list[tuple[list[str], Path]] = []

    def run(command: list[str], cwd: Path, check: bool) -> subprocess.CompletedProcess[str]:
        ran.append((command, cwd))
        return subprocess.CompletedProcess(command, 5)

    monkeypatch.setattr(authoring.subprocess, "run", run)  # type: ignore[attr-defined]
    assert CliRunner().invoke(main, ["plugin", "test", *typed]).exit_code == 5
    ((command, cwd),) = ran
    assert (command[-3:], cwd) == (["-k", "note", "-x"], tmp_path)


@pytest.mark.parametrize("place", ["before", "behind", "nowhere"])
def test_where_plugin_dev_keeps_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    scaffold("ada.notes", tmp_path / "notes")
    options = ["--data-dir", str(tmp_path / "mine")]
    heard: dict[str, Any] = {}

    def load(flags: dict[str, Any], env: dict[str, str]) -> None:
        heard.update(flags)
        raise Invalid("Enough is known.")

    monkeypatch.setattr(authoring, "load_config", load)
    typed = ["plugin", "dev", str(tmp_path / "notes")]
    done = CliRunner().invoke(
        main,
        [*(options if place == "before" else []), *typed, *(options if place == "behind" else [])],
    )
    assert done.output == "Enough is known.\n"
    home = tmp_path / "notes" / ".stagebox" if place == "nowhere" else tmp_path / "mine"
    assert heard["data_dir"] == str(home)


def test_a_server_that_does_not_follow_is_told_and_nothing_is_removed(
    make_host: Callable[..., TestHost],
    write_plugin: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = make_host(write_plugin("openapi", CODE, capabilities=["commands"]))
    at = ["--data-dir", str(host.data_dir)]
    if host.host.config.database:
        at += ["--database", host.host.config.database]

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*at, *arguments])

    shown = run("--help")
    assert shown.exit_code == 0
    assert shown.stderr == 'The commands of plugin openapi are hidden by the command "openapi".\n'
    for module in (plugins, uninstalling):
        monkeypatch.setattr(module, "after_server", lambda *_: ("unknown", "look at its log"))
    done = run("plugin", "uninstall", "openapi")
    sentence = "openapi is unknown: look at its log. Nothing was removed.\n"
    assert (done.exit_code, done.output) == (1, sentence)
    assert (host.data_dir / "plugins" / "openapi" / "__init__.py").is_file()
    done = run("plugin", "uninstall", "openapi", "--json")
    assert (done.exit_code, "--json goes with --dry-run." in done.output) == (2, True)
    done = run("plugin", "disable", "openapi")
    assert (done.exit_code, done.output) == (1, "openapi is unknown: look at its log\n")
