"""Installing, upgrading live, and removing folder plugins.

An upgrade loads the new version beside the old one. When data have to change shape, calls wait at
the old version's gate while a snapshot is taken and the steps run. Whatever fails puts code and
data back, and the old version goes on as if nothing had been tried.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from host.plugins.context import Resources
from host.plugins.discovery import is_plugin_id
from host.plugins.environment import problems
from host.plugins.files import remove
from host.plugins.manager import PluginManager
from host.plugins.manifests import MANIFEST_NAME, check_manifest
from host.plugins.packages import (
    code_files,
    is_installed,
    move_code,
    put_code,
    read_requirements,
    staged,
)
from host.plugins.register import Record
from host.plugins.starting import Failed, Running
from plugin_sdk import Conflict, Invalid, Manifest, NotFound, Problem, StageboxError, parse_json
from plugin_sdk.management import InstallPlan, PluginEntry

__all__ = ["Installer"]

_PREVIOUS = ".previous-"
_DONE = ".replaced-"
_PENDING = ".pending-"
_TAKEN = _FRESH = ".incoming-"
_ANSWER = ".answer"
_SNAPSHOT = ".snapshot.db"
_OWNER = ".owner"
_NOTES = frozenset({_SNAPSHOT, _OWNER})


class Installer:
    """Changes what lies in the plugin folders, in step with the manager."""

    def __init__(self, manager: PluginManager, folders: Path, resources: Resources) -> None:
        self._manager = manager
        self._folders = folders
        self._engine = resources.engine
        self._bus = resources.bus
        self._jobs = resources.jobs
        self._log = resources.log
        self._generation = -1

    # What would come

    def inspect(self, source: Path) -> InstallPlan:
        """Reads a plugin folder, ZIP or wheel; runs nothing. Raises Invalid, NotFound."""
        with self._staged(source) as folder:
            return self._plan(folder, source)

    def _plan(self, folder: Path, source: Path) -> InstallPlan:
        document = parse_json((folder / MANIFEST_NAME).read_bytes(), unique_keys=True)
        manifest = check_manifest(document, bundled=False, folder=folder)
        if not is_plugin_id(manifest.id):
            raise Invalid(f'"{manifest.id}" is reserved and cannot be a plugin id.')
        if not (folder / "__init__.py").is_file():
            raise Invalid(
                f"The plugin {manifest.id} has no __init__.py beside its {MANIFEST_NAME}.",
                details=[Problem("__init__.py", "is missing")],
            )
        self._manager.register.look()
        record = self._manager.register.find(manifest.id)
        if record is not None and record.found.source != "folder":
            kind = "built in" if record.found.bundled else "installed as a Python package"
            raise Conflict(f"The plugin {manifest.id} is {kind}; a folder would never be loaded.")
        before = record.manifest if record else None
        agreed = self._agreed(manifest.id, before)
        packages = read_requirements(folder)
        return InstallPlan(
            packages=tuple(packages),
            problems=tuple(problems(manifest.id, packages, self._manager.register)),
            manifest=manifest,
            source=source.name,
            replaces=before.version if before else None,
            added_capabilities=tuple(each for each in manifest.capabilities if each not in agreed),
            added_permissions=tuple(
                each for each in manifest.permissions if each.name not in agreed
            ),
        )

    def _agreed(self, plugin_id: str, before: Manifest | None) -> frozenset[str]:
        """What a person agreed to; of a plugin that nobody enabled yet, what it declared."""
        wish = self._manager.wishes.get(plugin_id)
        if wish is not None and wish.confirmed is not None:
            return wish.confirmed
        return before.declared if before is not None else frozenset()

    @contextmanager
    def _staged(self, source: Path) -> Iterator[Path]:
        if not source.exists():
            raise NotFound(f'"{source}" does not exist.')
        with staged(source, self._folders) as folder:
            yield folder

    # Install

    def install(self, source: Path, *, accept_additions: bool = False) -> PluginEntry:
        """See `plugin_sdk.management.PluginManagement.install`."""
        with self._staged(source) as folder:
            plan = self._plan(folder, source)
            plugin_id = plan.manifest.id
            self._confirm(plan, accept_additions)
            self._refuse(plan)
            with self._manager.change:
                record = self._manager.register.find(plugin_id)
                if record is not None and record.running is not None:
                    self._replace(record, folder)
                    self._manager.confirm(plugin_id)  # as `_confirm` has seen to
                    self._manager.wishes.bump()  # other processes run the old version still
                else:
                    target = self._folders / plugin_id
                    for path in code_files(target, folder) if target.is_dir() else []:
                        remove(path)
                    put_code(folder, target)
                    if plan.replaces is not None:
                        self._manager.wishes.confirm(plugin_id, plan.manifest.declared)
        return self._manager.entry(plugin_id)

    def _confirm(self, plan: InstallPlan, accepted: bool) -> None:
        added = [*plan.added_capabilities, *(each.name for each in plan.added_permissions)]
        if plan.replaces is not None and added and not accepted:
            raise Conflict(
                f"Version {plan.manifest.version} of {plan.manifest.id} asks for more than "
                f"{plan.replaces}: {', '.join(added)}. Confirm this to go on.",
                code="CONFIRMATION_NEEDED",
            )

    @staticmethod
    def _refuse(plan: InstallPlan) -> None:
        if plan.problems:
            text = " ".join(plan.problems)
            hint = "`stagebox plugin install` at the command line brings what goes together."
            raise Conflict(f"{text} Nothing was changed; {hint}", code="DEPENDENCY_CONFLICT")

    def reload(self, plugin_id: str) -> PluginEntry:
        """Upgrades an active plugin to what its folder holds now, data included."""
        with self._manager.change:
            record = self._manager.register.record(plugin_id)
            if record.running is None:
                raise Conflict(f"The plugin {plugin_id} is not active.")
            try:
                self._swap(record)
            finally:
                if self._owner_of(self._previous(plugin_id)) == self._jobs.owner:
                    shutil.rmtree(self._previous(plugin_id), ignore_errors=True)
        return self._manager.entry(plugin_id)

    def uninstall(self, plugin_id: str, purge: Callable[[], object] = lambda: None) -> None:
        """Disables it and removes its code; data stay unless ``purge`` removes them. Raises
        Conflict for one that came another way."""
        record = self._manager.register.record(plugin_id)
        folder = self._folders / plugin_id
        if record.found.source != "folder" or not is_installed(folder):
            hint = (
                "uninstall its Python package"
                if record.found.source == "entry-point"
                else (
                    "it is part of Stagebox"
                    if record.found.bundled
                    else "remove its folder yourself"
                )
            )
            raise Conflict(f"{plugin_id} did not come by an installation: {hint}.")
        if record.running is not None or record.wished(self._manager.wishes.get(plugin_id)):
            # Not again: a server that follows a wish late would note its outcome for good.
            self._manager.disable(plugin_id)
        with self._manager.change:
            purge()
            for path in code_files(folder):
                remove(path)
            if not any(folder.iterdir()):
                folder.rmdir()
            self._manager.wishes.forget(plugin_id)
            self._manager.register.look()

    # Upgrade

    def _replace(self, record: Record, staged_folder: Path) -> None:
        """Puts new code in the folder of a plugin at work and swaps it in, or puts the old back."""
        folder, previous = self._folders / record.found.id, self._begin(record.found.id)
        move_code(code_files(folder, staged_folder), previous)
        put_code(staged_folder, folder)
        try:
            self._swap(record, agreed=True)
        except BaseException:
            self._put_back(record.found.id)
            self._manager.register.look()
            raise
        finally:
            shutil.rmtree(previous, ignore_errors=True)

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
        snapshot = self._previous(plugin_id) / _SNAPSHOT
        try:
            new = self._manager.instances.attempt(
                record.found,
                record.manifest,
                before_migrations=lambda: self._snapshot(old, snapshot),
            )
        except Failed as failure:
            self._restore(plugin_id, snapshot)
            record.manifest = old.published.manifest
            old.published.gate.resume()
            self._jobs.resume(plugin_id)
            raise self._failed(
                plugin_id, f"{failure.fault.code}: {failure.fault.message}"
            ) from None
        record.running, record.state, record.fault = new, "active", None
        self._manager.put(new.published)
        self._commit(plugin_id)
        self._manager.instances.retire(old)
        self._log.info("Plugin %s runs version %s now.", plugin_id, new.published.manifest.version)

    def _commit(self, plugin_id: str) -> None:
        """From here on a crash does not bring the old version back."""
        previous = self._previous(plugin_id)
        if previous.is_dir():
            done = self._folders / f"{_DONE}{plugin_id}"
            shutil.rmtree(done, ignore_errors=True)
            previous.rename(done)
            shutil.rmtree(done, ignore_errors=True)

    def _snapshot(self, old: Running, snapshot: Path) -> None:
        """Nobody inside, nobody enters: then a copy of the data."""
        gate = old.published.gate
        gate.pause()
        self._manager.instances.quiet(old)
        if not gate.wait_idle(self._manager.limits.drain):
            raise TimeoutError("calls into the running version did not end in time")
        self._begin(gate.plugin_id)
        self._engine.open(gate.plugin_id).copy_to(snapshot)

    def _restore(self, plugin_id: str, snapshot: Path) -> None:
        if snapshot.is_file():
            self._bus.release(plugin_id)
            self._engine.open(plugin_id).restore_from(snapshot)
            snapshot.unlink()

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

    def _begin(self, plugin_id: str) -> Path:
        """The folder for what an upgrade replaces, with the name of the process that upgrades:
        both are there at once, for one process. Raises Conflict while another one is at it."""
        previous = self._previous(plugin_id)
        if self._owner_of(previous) == self._jobs.owner:
            return previous
        fresh = self._folders / f"{_FRESH}{secrets.token_hex(8)}"
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

    # Beside a running server: the command leaves the code, the server puts it in place

    def leave(self, source: Path, *, accept_additions: bool) -> Path:
        """For a serving process to take: returns the file in which its answer will stand."""
        with self._staged(source) as folder:
            plan = self._plan(folder, source)
            self._confirm(plan, accept_additions)
            pending = self._folders / f"{_PENDING}{plan.manifest.id}"
            answer = pending.with_name(pending.name + _ANSWER)
            answer.unlink(missing_ok=True)
            shutil.rmtree(pending, ignore_errors=True)
            folder.rename(pending)
        self._manager.wishes.bump()
        return answer

    def take_left(self) -> None:
        """Installs what a command left; the answer is ``{}`` or ``{code, message}``."""
        for left in sorted(self._folders.glob(f"{_PENDING}*")):
            if not left.is_dir():
                continue
            pending = left.with_name(f"{_TAKEN}{left.name}")
            try:
                left.rename(pending)
            except OSError:  # another process was first
                continue
            answer: dict[str, str] = {}
            try:
                self.install(pending, accept_additions=True)
            except StageboxError as error:
                answer = {"code": error.code, "message": error.message}
            finally:
                shutil.rmtree(pending, ignore_errors=True)
            file = left.with_name(left.name + _ANSWER)
            part = file.with_name(file.name + ".part")
            part.write_text(json.dumps(answer), encoding="utf-8")
            part.replace(file)

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
        for pattern in (f"{_FRESH}*", f"{_DONE}*"):
            for leftover in self._folders.glob(pattern):
                shutil.rmtree(leftover, ignore_errors=True)

    def _undo(self, previous: Path) -> None:
        plugin_id = previous.name.removeprefix(_PREVIOUS)
        self._log.warning("An upgrade of %s was cut short; it is undone.", plugin_id)
        self._restore(plugin_id, previous / _SNAPSHOT)
        if any(path.name not in _NOTES for path in previous.iterdir()):
            self._put_back(plugin_id)
        shutil.rmtree(previous, ignore_errors=True)
