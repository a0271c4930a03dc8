"""Installing and removing folder plugins, also for a server that runs beside a command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from host.plugins.context import Resources
from host.plugins.discovery import is_plugin_id
from host.plugins.environment import problems
from host.plugins.files import remove
from host.plugins.manager import PluginManager
from host.plugins.manifests import MANIFEST_NAME, check_manifest
from host.plugins.packages import (
    INCOMING,
    code_files,
    is_installed,
    put_code,
    read_requirements,
    staged,
)
from host.plugins.upgrading import Upgrades
from plugin_sdk import Conflict, Invalid, Manifest, NotFound, Problem, StageboxError, parse_json
from plugin_sdk.management import InstallPlan, PluginEntry

__all__ = ["Installer"]

_PENDING: Final = ".pending-"
_ANSWER: Final = ".answer"


class Installer:
    """Changes what lies in the plugin folders, in step with the manager."""

    def __init__(self, manager: PluginManager, folders: Path, resources: Resources) -> None:
        self._manager = manager
        self._folders = folders
        self._log = resources.log
        self._upgrades = Upgrades(manager, folders, resources)
        self.recover = self._upgrades.recover
        self.follow = self._upgrades.follow

    # What would come

    def inspect(self, source: Path) -> InstallPlan:
        """Reads a plugin folder, ZIP or wheel; runs nothing. Raises Invalid, NotFound; Conflict for
        the id of a plugin that came another way."""
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
                    self._upgrades.replace(record, folder)
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
        """See `plugin_sdk.management.PluginManagement.reload`."""
        self._upgrades.reload(plugin_id)
        return self._manager.entry(plugin_id)

    def uninstall(self, plugin_id: str, purge: Callable[[], object] = lambda: None) -> None:
        """Disables it and removes its code; data stay unless ``purge`` removes them. Raises
        Conflict for one that came another way."""
        record = self._manager.register.record(plugin_id)
        folder = self._folders / plugin_id
        if record.found.source != "folder" or not is_installed(folder):
            hint = {
                "entry-point": "uninstall its Python package",
                "built-in": "it is part of Stagebox",
                "folder": "remove its folder yourself",
            }[record.found.source]
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

    def withdraw(self, answer: Path) -> bool:
        """Takes back what was left for a server that did not come in time; False when one has
        begun with it, so that its answer is on the way."""
        pending = answer.with_name(answer.name.removesuffix(_ANSWER))
        taken = self._taken(pending)
        try:
            pending.rename(taken)
        except FileNotFoundError:
            return False
        shutil.rmtree(taken, ignore_errors=True)
        return True

    def take_left(self) -> None:
        """Installs what a command left; the answer is ``{}`` or ``{code, message}``."""
        for left in sorted(self._folders.glob(f"{_PENDING}*")):
            if not left.is_dir():
                continue
            pending = self._taken(left)
            try:
                left.rename(pending)
            except OSError:  # another process was first
                continue
            try:
                answer = self._install_left(pending)
            finally:
                shutil.rmtree(pending, ignore_errors=True)
            file = left.with_name(left.name + _ANSWER)
            part = file.with_name(file.name + ".part")
            part.write_text(json.dumps(answer), encoding="utf-8")
            part.replace(file)

    def _install_left(self, pending: Path) -> dict[str, str]:
        try:
            self.install(pending, accept_additions=True)
        except StageboxError as error:
            return {"code": error.code, "message": error.message}
        except OSError as error:  # a full disk, say: whoever waits is to hear of it
            self._log.error("What a command left was not installed.", exc_info=error)
            reason = error.strerror or type(error).__name__
            return {"code": "INTERNAL_ERROR", "message": f"The server could not: {reason}."}
        return {}

    @staticmethod
    def _taken(left: Path) -> Path:
        """The name under which whoever renames it has it for itself."""
        return left.with_name(f"{INCOMING}{left.name}")
