"""Putting an archive in place of a host's data."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from packaging.version import InvalidVersion, Version

from host.app import Host, open_engine
from host.app.build import version
from host.app.presence import Presence
from host.backup import swap
from host.backup.archive import Archive, Progress
from host.backup.hosts import quiet_host
from host.backup.manifest import Manifest
from host.backup.occupancy import alone
from host.clock import SystemClock
from host.config import Config
from host.db import ServedEngine, SqliteEngine
from host.moving import move
from plugin_sdk import Conflict, Invalid, StageboxError, StorageProvider, Unavailable

__all__ = ["Restored", "refuse_unfit", "restore"]

_MARGIN: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in place; ``created`` and ``version`` are the archive's."""

    databases: int
    files: int
    blobs: int
    created: str
    version: str


def restore(
    config: Config,
    env: Mapping[str, str],
    file: Path,
    progress: Progress,
    *,
    replace_data: bool = False,
) -> Restored:
    """Checks an archive, builds the data anew beside the old ones, and exchanges them.

    ``stagebox.toml`` and the logs stay. Until the exchange nothing of the old data is touched,
    but blobs in a storage provider that is not below the data directory are stored over those of
    the same key as they come; none is deleted.

    Raises NotFound or Invalid for the archive; Conflict when there are data and ``replace_data``
    is not given, when a server or command works here, or the archive is from a newer version;
    Unavailable when there is no room."""
    with Archive(file) as archive, alone(config.data_dir):
        refuse_unfit(archive.manifest)
        swap.recover(config.data_dir)
        _refuse_running(config)
        if not replace_data and _has_data(config):
            where = "The database holds" if config.database else f"{config.data_dir} holds"
            raise Conflict(f"{where} data already: add --replace to put the backup in their place.")
        _refuse_without_room(archive.manifest, config.data_dir)
        archive.check(progress)
        try:
            new = swap.begin(config.data_dir)
            _build(archive, replace(config, data_dir=new, database=""), env, progress)
            if config.database:
                _exchange_served(config, new, progress)
            else:
                swap.commit(config.data_dir)
        except OSError as error:
            raise Unavailable(
                f"The backup could not be unpacked ({error.strerror or error}); "
                "nothing was changed."
            ) from error
        finally:
            swap.recover(config.data_dir)
        return _summary(archive.manifest)


def _summary(manifest: Manifest) -> Restored:
    return Restored(
        len(manifest.of_kind("database")),
        len(manifest.of_kind("file")),
        len(manifest.of_kind("blob")),
        manifest.created,
        manifest.version,
    )


# Refusals


def refuse_unfit(manifest: Manifest) -> None:
    """Raises Invalid, or Conflict, for an archive that this host cannot put back."""
    if manifest.engine != "sqlite":
        raise Invalid(f"The backup holds databases of {manifest.engine}, not SQLite files.")
    if not any(entry.of == "host" for entry in manifest.of_kind("database")):
        raise Invalid("The backup holds no database of the host.")
    try:
        newer = Version(manifest.version) > Version(version())
    except InvalidVersion:
        raise Invalid("The backup does not say which version of Stagebox made it.") from None
    if newer:
        raise Conflict(
            f"The backup is from Stagebox {manifest.version}, this is {version()}: update first."
        )


def _refuse_running(config: Config) -> None:
    """By presence: servers that do not hold the lock, of another machine or another start."""
    if not config.database and not (config.data_dir / "host.db").exists():
        return
    engine = open_engine(config)
    try:
        others = Presence(engine.open("host"), SystemClock()).others()
    except StageboxError:  # no table yet, or damaged: then it is what a backup is for
        others = []
    finally:
        engine.close()
    if others:
        raise Conflict(
            f"A server is running on these data (process {others[0].pid} on "
            f"{others[0].machine}): stop it first."
        )


def _has_data(config: Config) -> bool:
    plugins = config.data_dir / "plugins"
    if plugins.is_dir() and any(plugins.iterdir()):
        return True
    if not config.database:
        return (config.data_dir / "host.db").exists()
    engine = open_engine(config)
    try:
        return engine.exists("host") or bool(engine.names())
    finally:
        engine.close()


def _refuse_without_room(manifest: Manifest, data_dir: Path) -> None:
    """Also against an archive that unpacks to much more than anybody expects."""
    databases = sum(entry.size for entry in manifest.of_kind("database"))
    needed = manifest.size + databases + _MARGIN  # a copy, and the database made of it
    free = shutil.disk_usage(data_dir).free
    if needed > free:
        raise Unavailable(
            f"The backup needs {_mib(needed)} in {data_dir}, where {_mib(free)} are free."
        )


def _mib(size: int) -> str:
    return f"{-(-size // 1024**2):,} MiB"


# A database server


def _exchange_served(config: Config, new: Path, progress: Progress) -> None:
    """Carries the databases of a folder into drafts on the server, and exchanges databases there
    and files here. Each exchange is one step; should the machine die between the two, the same
    restore completes it."""
    server = cast("ServedEngine", open_engine(config))
    try:
        draft = server.draft()
        try:
            source = SqliteEngine(new)
            try:
                move(source, draft, "restore", progress)
                names = ["host", *source.names()]
            finally:
                source.close()
            for name in names:  # their place is the server
                SqliteEngine(new).drop(name)
            put_back = draft.publish()
            try:
                swap.commit(config.data_dir)
            except BaseException:
                put_back()
                raise
            draft.sweep()
        finally:
            draft.close()
    finally:
        server.close()


# Building


def _build(archive: Archive, config: Config, env: Mapping[str, str], progress: Progress) -> None:
    """All data in the folder that ``config`` names, as a host would find them."""
    _put_databases(archive, config, env, progress)
    _put_files(archive, config.data_dir / "plugins", progress)
    _put_blobs(archive, config, env, progress)


def _put_databases(
    archive: Archive, config: Config, env: Mapping[str, str], progress: Progress
) -> None:
    host = Host(config, env=env, log_file=False, log_stream=None)
    try:
        for entry in archive.manifest.of_kind("database"):
            progress(f"database of {entry.of}", 0, 0)
            copy = config.data_dir.parent / "copy.db"
            archive.extract(entry, copy)
            host.engine.open(entry.of).restore_from(copy)  # checks it as well
            copy.unlink()
        host.open()
        host.presence.forget()
    finally:
        host.stop()


def _put_files(archive: Archive, plugins: Path, progress: Progress) -> None:
    plugins.mkdir(exist_ok=True)
    for entry in archive.manifest.of_kind("file"):
        progress(entry.of, 0, 0)
        path = plugins / entry.of
        path.parent.mkdir(parents=True, exist_ok=True)
        archive.extract(entry, path)
        path.chmod(0o600 | entry.mode)


def _put_blobs(
    archive: Archive, config: Config, env: Mapping[str, str], progress: Progress
) -> None:
    blobs = archive.manifest.of_kind("blob")
    if not blobs:
        return
    total, done = sum(entry.size for entry in blobs), 0
    with quiet_host(config, env) as host:
        storage: StorageProvider = host.registry.active("storage")
        for entry in blobs:
            with archive.open(entry) as stream:
                storage.put(entry.of, cast("Any", stream), entry.contentType)
            done += entry.size
            progress(entry.of, done, total)
