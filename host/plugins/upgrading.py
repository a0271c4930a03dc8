"""Upgrading folder plugins that are at work.

The new version is loaded beside the old one. When data have to change shape, calls wait at the old
version's gate while a snapshot is taken and the steps run. Whatever fails puts code and data back,
and the old version goes on as if nothing had been tried.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from host.plugins.context import Resources
from host.plugins.files import remove
from host.plugins.manager import PluginManager
from host.plugins.manifests import MANIFEST_NAME
from host.plugins.packages import INCOMING, code_files, move_code, put_code
from host.plugins.register import Record
from host.plugins.starting import Failed, Running
from plugin_sdk import Conflict, StageboxError, parse_json

__all__ = ["Upgrades"]

_PREVIOUS: Final = ".previous-"
_DONE: Final = ".replaced-"
_SNAPSHOT: Final = ".snapshot.db"
_OWNER: Final = ".owner"
_NOTES: Final = frozenset({_SNAPSHOT, _OWNER})


class _Attempt:
    """One upgrade that is tried. Its start may go on after nobody waits for it any more, and must
    not stop the old version, or copy its data, then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given_up = False

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Inside, nobody gives up."""
        with self._lock:
            if self._given_up:
                raise TimeoutError("nobody waits for this upgrade any more")
            yield

    def give_up(self) -> None:
        with self._lock:
            self._given_up = True

    @property
    def given_up(self) -> bool:
        with self._lock:
            return self._given_up


class Upgrades:
    """Changes the code of plugins at work, in step with the manager."""

    def __init__(self, manager: PluginManager, folders: Path, resources: Resources) -> None:
        self._manager = manager
        self._folders = folders
        self._engine = resources.engine
        self._bus = resources.bus
        self._jobs = resources.jobs
        self._log = resources.log
        self._generation = -1

    def replace(self, record: Record, staged_folder: Path) -> None:
        """Puts new code in the folder of a plugin at work and swaps it in, or puts the old back.
        A person has agreed to what it asks for. Raises Conflict (UPGRADE_FAILED, or
        UPGRADE_UNDER_WAY while another process is at it)."""
        plugin_id = record.found.id
        folder, previous = self._folders / plugin_id, self._begin(plugin_id)
        move_code(code_files(folder, staged_folder), previous)
        try:
            put_code(staged_folder, folder)
            self._swap(record, agreed=True)
        except BaseException:
            # Without that folder the new version is at work, and only the old one's end failed.
            if previous.is_dir():
                self._put_back(plugin_id)
            self._manager.register.look()
            raise
        finally:
            self._clear(plugin_id)

    def reload(self, plugin_id: str) -> None:
        """Upgrades an active plugin to what its folder holds now, data included. Raises Conflict
        as `replace` does, and for one that is not active."""
        with self._manager.change:
            record = self._manager.register.record(plugin_id)
            if record.running is None:
                raise Conflict(f"The plugin {plugin_id} is not active.")
            try:
                self._swap(record)
            finally:
                if self._owner_of(self._previous(plugin_id)) == self._jobs.owner:
                    self._clear(plugin_id)

    def _swap(self, record: Record, *, agreed: bool = False) -> None:
        """Starts what the folder holds beside the running instance and takes its place, if a
        person ``agreed`` to what it asks for, now or before."""
        old = record.running
        assert old is not None
        plugin_id = record.found.id
        fault = self._manager.register.examine(record)
        if fault is None and not agreed:
            fault = self._manager.unconfirmed(record)
        if fault is not None:
            record.manifest = old.published.manifest
            raise self._failed(plugin_id, f"{fault.code}: {fault.message}")
        assert record.manifest is not None
        attempt = _Attempt()
        try:
            new = self._manager.instances.attempt(
                record.found,
                record.manifest,
                before_migrations=lambda: self._snapshot(old, attempt),
            )
        except Failed as failure:
            attempt.give_up()
            self._fall_back(record, old)
            raise self._failed(
                plugin_id, f"{failure.fault.code}: {failure.fault.message}"
            ) from None
        record.running, record.state, record.fault = new, "active", None
        self._manager.put(new.published)
        self._commit(plugin_id)
        self._manager.instances.retire(old)
        self._log.info("Plugin %s runs version %s now.", plugin_id, new.published.manifest.version)

    def _fall_back(self, record: Record, old: Running) -> None:
        record.manifest = old.published.manifest
        try:
            self._restore(record.found.id)
        finally:
            old.published.gate.resume()
            self._jobs.resume(record.found.id)

    def _commit(self, plugin_id: str) -> None:
        """From here on a crash does not bring the old version back."""
        previous = self._previous(plugin_id)
        if previous.is_dir():
            done = self._folders / f"{_DONE}{plugin_id}"
            shutil.rmtree(done, ignore_errors=True)
            previous.rename(done)
            shutil.rmtree(done, ignore_errors=True)

    def _clear(self, plugin_id: str) -> None:
        """What an upgrade left; not a copy of data that could not be put back, for which the next
        start tries again."""
        if not self._copy_of_data(plugin_id).is_file():
            shutil.rmtree(self._previous(plugin_id), ignore_errors=True)

    # Data

    def _snapshot(self, old: Running, attempt: _Attempt) -> None:
        """Nobody inside, nobody enters: then a copy of the data."""
        gate = old.published.gate
        with attempt.waited_for():
            gate.pause()
        self._manager.instances.quiet(old)
        if attempt.given_up:  # meanwhile; the old version goes on, so its jobs do
            self._jobs.resume(gate.plugin_id)
        if not gate.wait_idle(self._manager.limits.drain):
            raise TimeoutError("calls into the running version did not end in time")
        with attempt.waited_for():
            self._begin(gate.plugin_id)
            self._engine.open(gate.plugin_id).copy_to(self._copy_of_data(gate.plugin_id))

    def _restore(self, plugin_id: str) -> None:
        snapshot = self._copy_of_data(plugin_id)
        if snapshot.is_file():
            self._bus.release(plugin_id)
            self._engine.open(plugin_id).restore_from(snapshot)
            snapshot.unlink()

    # Code

    def _put_back(self, plugin_id: str) -> None:
        folder, previous = self._folders / plugin_id, self._previous(plugin_id)
        for path in code_files(folder):
            remove(path)
        move_code([path for path in previous.iterdir() if path.name not in _NOTES], folder)

    def _failed(self, plugin_id: str, why: str) -> Conflict:
        return Conflict(
            f"The new version of {plugin_id} did not start, so the old one goes on: {why}",
            code="UPGRADE_FAILED",
        )

    def _previous(self, plugin_id: str) -> Path:
        return self._folders / f"{_PREVIOUS}{plugin_id}"

    def _copy_of_data(self, plugin_id: str) -> Path:
        return self._previous(plugin_id) / _SNAPSHOT

    # Of several processes on these folders one at a time

    def _begin(self, plugin_id: str) -> Path:
        """The folder for what an upgrade replaces, with the name of the process that upgrades:
        both are there at once, for one process. Raises Conflict while another one is at it."""
        previous = self._previous(plugin_id)
        if self._owner_of(previous) == self._jobs.owner:
            return previous
        fresh = self._folders / f"{INCOMING}{secrets.token_hex(8)}"
        fresh.mkdir()
        (fresh / _OWNER).write_text(self._jobs.owner, encoding="utf-8")
        try:
            with self._held():
                if previous.exists() and not self._is_under_way(previous):
                    self._undo(previous)
                fresh.rename(previous)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            text = f"Another process is upgrading {plugin_id}; try again in a moment."
            raise Conflict(text, code="UPGRADE_UNDER_WAY") from None
        return previous

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Of the processes on these folders one at a time judges what another has left."""
        folders = os.open(self._folders, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folders, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folders)

    def _is_under_way(self, previous: Path) -> bool:
        """Whether a process that lives is at this upgrade."""
        owner = self._owner_of(previous)
        return owner is not None and self._jobs.alive(owner)

    @staticmethod
    def _owner_of(previous: Path) -> str | None:
        try:
            return (previous / _OWNER).read_text(encoding="utf-8")
        except OSError:
            return None

    def follow(self) -> None:
        """Another process may have upgraded a plugin: takes the version over that its folder
        holds. Costs one small query when nothing has changed."""
        generation = self._manager.wishes.generation()
        if generation == self._generation:
            return
        for plugin_id in self._manager.register.ids():
            record = self._manager.register.record(plugin_id)
            if record.running is None or record.found.source != "folder":
                continue
            if record.found.given or self._previous(plugin_id).exists():
                continue  # in the middle of it; the generation changes again in the end
            try:
                file = self._folders / plugin_id / MANIFEST_NAME
                version = parse_json(file.read_bytes()).get("version")
                if version != record.running.published.manifest.version:
                    self.reload(plugin_id)
            except (OSError, AttributeError, StageboxError) as error:
                self._log.error("Plugin %s was not upgraded here: %s", plugin_id, error)
        self._generation = generation

    def recover(self) -> None:
        """At start: an upgrade that a crash cut short is undone, data included; not one that
        another process is at."""
        with self._held():
            for previous in sorted(self._folders.glob(f"{_PREVIOUS}*")):
                if not self._is_under_way(previous):
                    self._undo(previous)
        if not self._jobs.alone:
            return  # what lies there may be in use
        for pattern in (f"{INCOMING}*", f"{_DONE}*"):
            for leftover in self._folders.glob(pattern):
                shutil.rmtree(leftover, ignore_errors=True)

    def _undo(self, previous: Path) -> None:
        plugin_id = previous.name.removeprefix(_PREVIOUS)
        self._log.warning("An upgrade of %s was cut short; it is undone.", plugin_id)
        self._restore(plugin_id)
        if any(path.name not in _NOTES for path in previous.iterdir()):
            self._put_back(plugin_id)
        shutil.rmtree(previous, ignore_errors=True)
