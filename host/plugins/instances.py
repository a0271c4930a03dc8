"""Instances: starting one beside whatever runs, and taking one down without a trace."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from host.plugins.catalog import Catalog
from host.plugins.conflicts import claim_conflict
from host.plugins.context import Resources
from host.plugins.discovery import Found
from host.plugins.gate import Gate, Slots
from host.plugins.loading import Loader
from host.plugins.register import Register
from host.plugins.requirements import circle_fault, order_of_start, unmet_requirement
from host.plugins.stage import Limits, Stage
from host.plugins.starting import Failed, Running, Start, teardown
from host.plugins.wishes import CrashNote
from plugin_sdk import Manifest
from plugin_sdk.management import PluginFault

__all__ = ["Instances"]


class Instances:
    """Knows nothing of wishes and states: `host.plugins.manager` decides who is to run.

    ``catalog`` gives the present one; ``quarantine`` is called when a plugin keeps failing.
    """

    def __init__(
        self,
        resources: Resources,
        register: Register,
        stage: Stage,
        *,
        slots: Slots,
        limits: Limits,
        crash_folder: Path,
        catalog: Callable[[], Catalog],
        quarantine: Callable[[str, PluginFault], object],
    ) -> None:
        self.note = CrashNote(crash_folder)
        self.limits = limits
        self._resources = resources
        self._register = register
        self._stage = stage
        self._slots = slots
        self._catalog = catalog
        self._quarantine = quarantine
        self._log = resources.log
        self._loader = Loader()

    def attempt(
        self,
        found: Found,
        manifest: Manifest,
        *,
        before_migrations: Callable[[], object] = lambda: None,
    ) -> Running:
        """Starts an instance beside whatever runs; raises Failed. The catalog is not touched."""
        self._refuse_early(manifest)
        gate = Gate(
            manifest.id,
            self._slots,
            quarantine_failures=self.limits.quarantine_failures,
            on_failures=lambda: self._too_many_failures(gate),
        )
        start = Start(
            found=found,
            manifest=manifest,
            resources=self._resources,
            loader=self._loader,
            gate=gate,
            log=self._stage.log_for(manifest.id),
            providers_taken=self._providers_taken(),
            before_migrations=before_migrations,
            check_routes=self._stage.check,
        )
        if found.bundled:
            # An operator who kills the process while it starts must not lose the admin's tools.
            return start.run(self.limits.setup_timeout)
        try:
            self.note.write(manifest.id)
        except OSError as error:  # a full disk keeps no plugin off
            self._log.warning("No note can be kept of who starts: %s", error)
        try:
            return start.run(self.limits.setup_timeout)
        finally:
            self.note.remove()

    def _refuse_early(self, manifest: Manifest) -> None:
        """What can be judged before any code of the plugin runs; raises Failed."""
        fault = self.unmet(manifest)
        if fault is not None and fault.code == "DEPENDENCY_INACTIVE":
            circle = order_of_start(self._register.manifests())[1].get(manifest.id)
            fault = circle_fault(circle) if circle else fault
        if fault is None:
            others = self._register.claims(manifest.id, self._catalog().plugins)
            neighbours = self._register.neighbours(manifest.id)
            fault = claim_conflict(manifest, others, self._stage.host_paths, neighbours)
        if fault is not None:
            raise Failed(fault)

    def unmet(self, manifest: Manifest) -> PluginFault | None:
        """The first requirement that is not met right now."""
        return unmet_requirement(manifest, self._known_version)

    def _known_version(self, plugin_id: str) -> tuple[str, bool] | None:
        record = self._register.find(plugin_id)
        if record is None:
            return None
        version = record.manifest.version if record.manifest else ""
        return version, plugin_id in self._catalog().plugins

    def retire(self, running: Running) -> None:
        """Lets the calls inside end, stops the jobs, disables; nothing of the instance is left."""
        gate = running.published.gate
        gate.close()
        self._stage.withdrawn()
        if not self._resources.jobs.interrupt(gate.plugin_id, self.limits.drain):
            self._log.warning("A job of plugin %s did not stop in time.", gate.plugin_id)
        if not gate.wait_idle(self.limits.drain):
            self._log.warning("Calls into plugin %s did not end in time.", gate.plugin_id)
        log = self._stage.log_for(gate.plugin_id)
        teardown(running.plugin, log, self.limits.setup_timeout)
        self._resources.hooks.remove(running.plugin)
        running.context.close()
        self._loader.forget(type(running.plugin))

    def quiet(self, running: Running) -> None:
        """Ends what would keep a plugin's calls from ending by themselves: sockets and jobs."""
        self._stage.withdrawn()
        self._resources.jobs.interrupt(running.published.plugin_id, self.limits.drain)

    def _too_many_failures(self, gate: Gate) -> None:
        text = (
            f"{gate.failures} of its calls failed unexpectedly, "
            "more than half of all within a minute."
        )
        fault = PluginFault("TOO_MANY_FAILURES", text)
        # The call that trips the limit is inside the plugin itself: do not wait for it here.
        threading.Thread(
            target=self._quarantine, args=(gate.plugin_id, fault), name="quarantine", daemon=True
        ).start()

    def _providers_taken(self) -> dict[tuple[str, str], str]:
        return {
            (provider.type, provider.name): published.plugin_id
            for published in self._catalog().plugins.values()
            for provider in published.providers
        }
