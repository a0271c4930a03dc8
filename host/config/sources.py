"""What the operator configured: flags, environment variables, ``stagebox.toml``, defaults.

A flag beats the environment variable, which beats ``<data-dir>/stagebox.toml``, which beats the
default. Each option has one name in all three places: ``--max-calls-per-plugin``,
``STAGEBOX_MAX_CALLS_PER_PLUGIN``, ``max_calls_per_plugin``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from host.config.options import OPTIONS, Option, address
from host.errors import ConfigurationError
from host.suggestions import suggestion_suffix
from plugin_sdk import Invalid, check_json

__all__ = ["CONFIG_NAME", "Config", "load_config"]

CONFIG_NAME: Final = "stagebox.toml"
_MAX_FILE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Config:
    """All that a host is started with; every value is checked.

    ``listen`` are ``host:port`` (an IPv6 address in brackets, port 0 = any free one).
    ``database`` is a PostgreSQL URL, or "" for SQLite files in ``data_dir``; it may hold a
    password and is left out of the repr. ``plugins`` are the settings that the file pins, by
    plugin id. ``log_level`` is one of error, warn, info, http, debug.
    ``server`` is waitress or granian; ``workers`` (processes) and ``websocket_port`` (None: the one
    behind the port of ``listen``) matter to granian only.
    """

    data_dir: Path
    listen: tuple[str, ...]
    database: str = field(repr=False)
    server: str
    workers: int
    websocket_port: int | None
    threads: int
    max_calls_per_plugin: int
    allowed_hosts: tuple[str, ...]
    durability: str
    log_level: str
    log_format: str
    log_file: Path
    safe_mode: bool
    plugins: Mapping[str, Mapping[str, Any]] = field(repr=False)
    test_clock_offset_file: Path | None = None

    @property
    def file(self) -> Path:
        """Where ``stagebox.toml`` is looked for."""
        return self.data_dir / CONFIG_NAME

    def addresses(self) -> list[tuple[str, int]]:
        """``listen`` as pairs of host (without brackets) and port."""
        return [address(text) for text in self.listen]


def load_config(flags: Mapping[str, Any], env: Mapping[str, str]) -> Config:
    """Puts the sources together. A flag that is None or an empty list was not given, nor was an
    environment variable that is empty.

    Raises ConfigurationError that names the source and the key for an unknown key, a wrong type
    or value, and a file that is no TOML (with its line).
    """
    _refuse_unknown("the flags", flags, [*OPTIONS, "data_dir"], None)
    data_dir = _data_dir(flags, env)
    file = data_dir / CONFIG_NAME
    document = _read(file)
    plugins = _plugins(document.pop("plugins", {}), file)
    if "data_dir" in document:
        raise ConfigurationError(
            f"{file}: data_dir cannot stand in a file that lies in the data directory; "
            "use --data-dir or STAGEBOX_DATA_DIR.",
            file=file,
            key="data_dir",
        )
    _refuse_unknown(str(file), document, [*OPTIONS, "plugins"], file)
    values = {
        name: _value(option, flags.get(name), env, document, data_dir)
        for name, option in OPTIONS.items()
    }
    return _config(data_dir, values, plugins, env)


def _config(
    data_dir: Path,
    values: dict[str, Any],
    plugins: Mapping[str, Mapping[str, Any]],
    env: Mapping[str, str],
) -> Config:
    if values["max_calls_per_plugin"] is None:
        values["max_calls_per_plugin"] = max(1, values["threads"] // 2)
    if values["max_calls_per_plugin"] > values["threads"]:
        raise ConfigurationError(
            f"max_calls_per_plugin ({values['max_calls_per_plugin']}) is larger than "
            f"threads ({values['threads']}): one plugin could take every thread.",
            key="max_calls_per_plugin",
        )
    if values["log_file"] is None:
        values["log_file"] = data_dir / "logs" / "server.log"
    offset = env.get("STAGEBOX_TEST_CLOCK_OFFSET_FILE")
    return Config(
        data_dir=data_dir,
        plugins=plugins,
        test_clock_offset_file=Path(offset) if offset else None,
        **values,
    )


def _data_dir(flags: Mapping[str, Any], env: Mapping[str, str]) -> Path:
    """``--data-dir``, STAGEBOX_DATA_DIR, or the user's data folder (XDG Base Directory)."""
    given = flags.get("data_dir") or env.get("STAGEBOX_DATA_DIR")
    if given:
        if not isinstance(given, str | Path) or "\0" in str(given):
            raise ConfigurationError("data_dir must be the path of a folder.", key="data_dir")
        return _absolute(Path(given), Path.cwd(), env)
    shared = env.get("XDG_DATA_HOME", "")
    if Path(shared).is_absolute():  # the specification has relative ones ignored
        return Path(shared) / "stagebox"
    return _absolute(Path("~/.local/share/stagebox"), Path.cwd(), env)


def _absolute(path: Path, folder: Path, env: Mapping[str, str]) -> Path:
    home = env.get("HOME")
    if home and path.parts[:1] == ("~",):
        path = Path(home, *path.parts[1:])
    try:
        return folder / path.expanduser()
    except RuntimeError:
        raise ConfigurationError(
            f'The home folder of "{path}" is unknown: give an absolute path.'
        ) from None


def _value(
    option: Option,
    flag: Any,
    env: Mapping[str, str],
    document: Mapping[str, Any],
    data_dir: Path,
) -> Any:
    """The value of the strongest source that has one."""

    def checked(convert: Callable[[Any], Any], given: Any, source: str, folder: Path) -> Any:
        try:
            value = convert(given)
        except Invalid as error:
            raise ConfigurationError(
                f"{source} {error.message}", key=option.name, file=file
            ) from None
        return _absolute(value, folder, env) if isinstance(value, Path) else value

    file: Path | None = None
    if flag is not None and flag not in ((), []):
        name = "--" + option.name.replace("_", "-")
        return checked(option.check, _plain(flag), name, Path.cwd())
    for variable in option.variables:
        if env.get(variable, "").strip():
            return checked(option.parse, env[variable].strip(), variable, Path.cwd())
    if option.name in document:
        file = data_dir / CONFIG_NAME
        return checked(option.check, document[option.name], f"{file}: {option.name}", data_dir)
    return option.default


def _plain(flag: Any) -> Any:
    if isinstance(flag, tuple):
        return list(flag)
    return str(flag) if isinstance(flag, Path) else flag


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise ConfigurationError(f"{file} cannot be read: {reason}.", file=file) from None
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigurationError(f"{file} is larger than {_MAX_FILE_BYTES} bytes.", file=file)
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{file}, line {line}: this is not UTF-8.", file=file) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{file} is no TOML: {error}.", file=file) from None


def _plugins(given: Any, file: Path) -> Mapping[str, Mapping[str, Any]]:
    """The tables ``[plugins.<id>]``; an id with a dot stands in quotes there."""
    tables = {"plugins": given, **_named(given)}
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigurationError(
                f"{file}: {key} must be a table: write the settings of a plugin "
                "below a line [plugins.<id>].",
                file=file,
                key=key,
            )
    for plugin_id, settings in given.items():
        for name, value in settings.items():
            try:
                check_json(value)
            except Invalid as error:
                key = f"plugins.{plugin_id}.{name}"
                message = f"{file}: {key} is no value for a setting. {error.message}"
                raise ConfigurationError(message, file=file, key=key) from None
    return MappingProxyType({key: MappingProxyType(table) for key, table in given.items()})


def _named(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    return {f"plugins.{plugin_id}": table for plugin_id, table in given.items()}


def _refuse_unknown(
    source: str, given: Iterable[str], known: Iterable[str], file: Path | None
) -> None:
    names = list(known)
    for key in given:
        if key not in names:
            hint = suggestion_suffix(key, names)
            text = f'"{key}" is not known here' + (f";{hint}" if hint else ".")
            raise ConfigurationError(f"{source}: {text}", file=file, key=key)
