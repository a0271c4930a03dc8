from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.config import Config, load_config
from host.config.options import OPTIONS, address
from host.errors import ConfigurationError
from plugin_sdk import Invalid


def load(folder: Path, text: str | bytes = "", /, env: Any = None, **flags: Any) -> Config:
    content = text.encode() if isinstance(text, str) else text
    (folder / "stagebox.toml").write_bytes(content)
    return load_config(flags, {"STAGEBOX_DATA_DIR": str(folder), **(env or {})})


def refused(folder: Path, text: str | bytes = "", /, **more: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, **more)
    return caught.value


def test_defaults(tmp_path: Path) -> None:
    config = load_config({"data_dir": str(tmp_path), "listen": (), "threads": None}, {})
    assert config == Config(
        data_dir=tmp_path,
        listen=("127.0.0.1:8085",),
        database="",
        server="waitress",
        workers=2,
        websocket_port=None,
        threads=16,
        max_calls_per_plugin=8,
        allowed_hosts=(),
        durability="full",
        log_level="info",
        log_format="text",
        log_file=tmp_path / "logs" / "server.log",
        safe_mode=False,
        plugins={},
    )


def test_a_flag_beats_the_environment_beats_the_file(tmp_path: Path) -> None:
    text = 'listen = ["0.0.0.0:1"]\nthreads = 2\nlog_level = "debug"\nsafe_mode = true'
    config = load(tmp_path, text)
    assert (config.listen, config.threads, config.safe_mode) == (("0.0.0.0:1",), 2, True)
    env = {
        "STAGEBOX_LISTEN": "127.0.0.1:2, [::1]:2",
        "STAGEBOX_THREADS": "3",
        "STAGEBOX_SAFE_MODE": "off",
    }
    config = load(tmp_path, text, env=env)
    assert (config.listen, config.threads, config.safe_mode) == (
        ("127.0.0.1:2", "[::1]:2"),
        3,
        False,
    )
    config = load(tmp_path, text, env=env, listen=("127.0.0.1:3",), threads=4, safe_mode=True)
    assert (config.listen, config.threads, config.safe_mode) == (("127.0.0.1:3",), 4, True)
    assert config.log_level == "debug"


def test_an_empty_variable_was_not_given(tmp_path: Path) -> None:
    config = load(tmp_path, "threads = 2", env={"STAGEBOX_THREADS": "", "LOG_LEVEL": " "})
    assert (config.threads, config.log_level) == (2, "info")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"STAGEBOX_DATA_DIR": "/srv/a"}, Path("/srv/a")),
        ({"STAGEBOX_DATA_DIR": "~/a", "HOME": "/home/x"}, Path("/home/x/a")),
        ({"XDG_DATA_HOME": "/xdg", "HOME": "/home/x"}, Path("/xdg/stagebox")),
        ({"XDG_DATA_HOME": "relative", "HOME": "/h"}, Path("/h/.local/share/stagebox")),
        ({"HOME": "/home/x"}, Path("/home/x/.local/share/stagebox")),
        ({"STAGEBOX_DATA_DIR": "here"}, Path.cwd() / "here"),
    ],
)
def test_the_data_directory(env: dict[str, str], expected: Path) -> None:
    assert load_config({}, env).data_dir == expected


def test_a_flag_names_the_data_directory(tmp_path: Path) -> None:
    env = {"STAGEBOX_DATA_DIR": "/elsewhere"}
    assert load_config({"data_dir": tmp_path}, env).data_dir == tmp_path


def test_the_log_file_is_relative_to_where_it_was_written(tmp_path: Path) -> None:
    assert load(tmp_path, 'log_file = "a.log"').log_file == tmp_path / "a.log"
    assert load(tmp_path, log_file="a.log").log_file == Path.cwd() / "a.log"
    assert load(tmp_path, log_file=Path("/x/a.log")).log_file == Path("/x/a.log")
    assert load(tmp_path, env={"LOG_FILE": "/b.log"}).log_file == Path("/b.log")
    both = {"LOG_FILE": "/b.log", "STAGEBOX_LOG_FILE": "/c.log"}
    assert load(tmp_path, env=both).log_file == Path("/c.log")


def test_levels_may_be_written_as_elsewhere(tmp_path: Path) -> None:
    assert load(tmp_path, env={"LOG_LEVEL": "WARNING"}).log_level == "warn"
    assert load(tmp_path, 'log_level = "HTTP"').log_level == "http"


def test_plugin_tables_are_pinned_settings(tmp_path: Path) -> None:
    config = load(
        tmp_path, '[plugins.songs]\ndlcDir = "/x"\n[plugins."example.soundboard"]\nmaxSounds = 3'
    )
    assert config.plugins == {"songs": {"dlcDir": "/x"}, "example.soundboard": {"maxSounds": 3}}
    with pytest.raises(TypeError):
        config.plugins["songs"] = {}  # type: ignore[index]


def test_an_unknown_key_names_file_and_key(tmp_path: Path) -> None:
    error = refused(tmp_path, 'lsiten = ["127.0.0.1:1"]')
    file = tmp_path / "stagebox.toml"
    assert error.message == f'{file}: "lsiten" is not known here; did you mean "listen"?'
    assert (error.file, error.key) == (file, "lsiten")
    assert refused(tmp_path, "[plugin.songs]").message.endswith('did you mean "plugins"?')
    assert refused(tmp_path, "bananas = 1").message.endswith('"bananas" is not known here.')
    assert '"lisen"' in refused(tmp_path, lisen=["x"]).message


def test_the_data_directory_cannot_stand_in_its_own_file(tmp_path: Path) -> None:
    assert "--data-dir" in refused(tmp_path, 'data_dir = "/x"').message


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('threads = "4"', "threads", "must be an integer from 1 to 1024"),
        ("threads = true", "threads", "must be an integer"),
        ("threads = 1.0", "threads", "must be an integer"),
        ("threads = 0", "threads", "must be an integer from 1"),
        ("threads = 4\nmax_calls_per_plugin = 5", "max_calls_per_plugin", "larger than"),
        ('listen = "127.0.0.1:1"', "listen", "must be a list"),
        ("listen = []", "listen", "at least one"),
        ("listen = [1]", "listen", "must be a list of texts"),
        ('listen = ["127.0.0.1"]', "listen", "an address is written"),
        ('listen = ["127.0.0.1:65536"]', "listen", "an address is written"),
        ('listen = [":80"]', "listen", "an address is written"),
        ('listen = ["::1:80"]', "listen", "an address is written"),
        ('safe_mode = "yes"', "safe_mode", "must be true or false"),
        ('durability = "none"', "durability", "must be one of full, normal"),
        ('log_level = "loud"', "log_level", "must be one of error, warn, info, http, debug"),
        ("log_file = 1", "log_file", "must be a text"),
        ('log_file = ""', "log_file", "must be a path"),
        ('allowed_hosts = ["http://a"]', "allowed_hosts", "without scheme"),
        ("plugins = 1", "plugins", "must be a table"),
        ("[plugins]\nsongs = 1", "plugins.songs", "must be a table"),
        ("[plugins.songs]\nx = 2020-01-01", "plugins.songs.x", "no JSON type"),
        ("[plugins.songs]\nx = nan", "plugins.songs.x", "out of range"),
    ],
)
def test_a_bad_value_names_file_and_key(tmp_path: Path, text: str, key: str, words: str) -> None:
    error = refused(tmp_path, text)
    assert error.key == key
    assert key in error.message
    assert words in error.message
    if "larger" not in words:
        assert str(tmp_path / "stagebox.toml") in error.message
        assert error.file == tmp_path / "stagebox.toml"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STAGEBOX_THREADS", "many"),
        ("STAGEBOX_THREADS", "1_6"),
        ("STAGEBOX_THREADS", "1.0"),
        ("STAGEBOX_SAFE_MODE", "perhaps"),
        ("STAGEBOX_LISTEN", "nowhere"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, variable: str, value: str) -> None:
    assert refused(tmp_path, env={variable: value}).message.startswith(variable + " ")


def test_a_bad_flag_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, max_calls_per_plugin=0).message.startswith("--max-calls-per-plugin ")


def test_the_password_of_the_database_is_never_shown(tmp_path: Path) -> None:
    config = load(tmp_path, 'database = "postgresql://box:hush-hush@db/box"')
    assert config.database.endswith("@db/box")
    assert "hush-hush" not in repr(config)
    error = refused(tmp_path, 'database = "mysql://box:hush-hush@db/box"')
    assert "hush-hush" not in str(error)


def test_a_file_that_is_no_toml_names_file_and_line(tmp_path: Path) -> None:
    error = refused(tmp_path, "threads = 4\nlisten = [\n")
    assert str(tmp_path / "stagebox.toml") in error.message
    assert "line 3" in error.message or "end of document" in error.message
    assert "line 2" in refused(tmp_path, "threads = 4\nlisten : 1").message
    assert "line 2" in refused(tmp_path, b"threads = 4\nlog_file = '\xff'").message


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "stagebox.toml").mkdir()
    with pytest.raises(ConfigurationError, match=r"stagebox\.toml cannot be read"):
        load_config({"data_dir": str(tmp_path)}, {})


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    assert "larger" in refused(tmp_path, b"#" * (1024 * 1024 + 1)).message


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbfthreads = 4").threads == 4


def test_the_clock_file_comes_from_the_environment(tmp_path: Path) -> None:
    env = {"STAGEBOX_TEST_CLOCK_OFFSET_FILE": "/tmp/offset"}
    assert load(tmp_path, env=env).test_clock_offset_file == Path("/tmp/offset")


def test_addresses(tmp_path: Path) -> None:
    config = load(tmp_path, listen=["[::1]:0", "box.local:80", "0.0.0.0:8085"])
    assert config.addresses() == [("::1", 0), ("box.local", 80), ("0.0.0.0", 8085)]


def test_every_option_has_a_variable_of_its_name() -> None:
    for name, option in OPTIONS.items():
        assert option.name == name
        assert f"STAGEBOX_{name.upper()}" == option.variables[0]


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_invalid(text: str) -> None:
    try:
        host, port = address(text)
    except Invalid:
        return
    assert host
    assert 0 <= port <= 65535
    assert text in (f"{host}:{port:d}", f"[{host}]:{port:d}") or text.rpartition(":")[2][0] == "0"
