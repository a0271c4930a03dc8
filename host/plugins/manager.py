"""The plugin manager: the switch from off to on and back, one change at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.plugins.catalog import Catalog, Published
from host.plugins.conflicts import claim_conflict
from host.plugins.context import Resources
from host.plugins.discovery import Found
from host.plugins.gate import Gate, Slots
from host.plugins.loading import Loader
from host.plugins.register import Record, Register
from host.plugins.requirements import dependents_of, order_of_start, unmet_requirement
from host.plugins.starting import Failed, Running, Start, teardown
from host.plugins.wishes import CrashNote, Wish, WishStore
from plugin_sdk import CORE_PERMISSIONS, Conflict, Logger, Manifest, Permission
from plugin_sdk.management import PluginEntry, PluginFault, PluginState

__all__ = ["Limits", "PluginManager", "Stage"]

_WAITING = ("DEPENDENCY_INACTIVE", "DEPENDENCY_MISSING", "DEPENDENCY_VERSION")


@dataclass(slots=True)
class Limits:
    """Seconds and counts; settings of the plugin ``plugin_admin`` may change them at any time."""

    setup_timeout: float = 10.0
    drain: float = 10.0
    quarantine_failures: int = 100


@dataclass(frozen=True)
class Stage:
    """What the manager needs from above.

    ``offer`` makes providers and services of a catalog visible; ``publish`` everything: routes,
    listeners, jobs too, in one switch. ``withdrawn`` is called when gates have closed, so that
    open sockets end. ``emit`` tells host events.
    """

    offer: Callable[[Catalog], object]
    publish: Callable[[Catalog], object]
    withdrawn: Callable[[], object]
    emit: Callable[[str, Mapping[str, Any]], object]
    log_for: Callable[[str], Logger]
    host_paths: tuple[str, ...]
    check: Callable[[Published], object] = lambda _published: None
    """Raises Invalid when a plugin's routes cannot be mounted."""


class PluginManager:
    """One for each host. Requests never wait for its changes; they read the catalog."""

    def __init__(
        self,
        resources: Resources,
        register: Register,
        wishes: WishStore,
        stage: Stage,
        *,
        slots: Slots,
        limits: Limits,
        crash_folder: Path,
    ) -> None:
        self.limits = limits
        self.register = register
        self.wishes = wishes
        self.change = threading.RLock()
        """Held while a plugin's state changes."""
        self._resources = resources
        self._stage = stage
        self._slots = slots
        self._log = resources.log
        self._note = CrashNote(crash_folder)
        self._loader = Loader()
        self._catalog = Catalog()
        self.bundled_started = threading.Event()
        self._publishing = threading.Lock()
        self._eager = False
        self._generation = -1
        self._serving = True

    # Reading

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    def entries(self) -> list[PluginEntry]:
        """Every found plugin, by id; looks for new folders first."""
        self.register.look()
        wishes = self._all_wishes()
        return [self.register.entry(key, wishes.get(key)) for key in self.register.ids()]

    def entry(self, plugin_id: str) -> PluginEntry:
        """Raises NotFound."""
        self.register.look()
        return self._entry(plugin_id)

    def permissions(self) -> list[Permission]:
        """The core permissions in order, then those of active plugins by name."""
        more = [
            permission
            for published in self._catalog.plugins.values()
            for permission in published.manifest.permissions
        ]
        return [*CORE_PERMISSIONS, *sorted(more, key=lambda each: each.name)]

    # Start and stop of the host

    def start(self, *, serving: bool = True) -> None:
        """Starts everything that is to be on; no failure of a plugin keeps the others.

        ``serving`` is False in a command that runs beside a server: nothing is noted then."""
        with self.change:
            self._serving = serving
            wishes = self._all_wishes()
            if serving:
                self._blame_crashes(wishes)
            self.register.look(packages=True)
            order, circles = order_of_start(self.register.manifests(), self._rank_of_start())
            for plugin_id in order:
                record = self.register.record(plugin_id)
                wish = wishes.get(plugin_id)
                if record.state == "incompatible" or not record.wished(wish):
                    continue
                if wish is not None and wish.quarantine is not None:
                    record.state, record.fault = "quarantined", wish.quarantine
                elif plugin_id in circles:
                    self._fail(plugin_id, record, _circle_fault(circles[plugin_id]))
                else:
                    if not record.found.bundled:
                        self.bundled_started.set()
                    self._start(plugin_id, record, at_start=True)
                    if self._eager:
                        self._publish()
            self.bundled_started.set()
            self._publish()
            self._generation = self.wishes.generation()
            for plugin_id, wish in wishes.items():
                known = self.register.find(plugin_id)
                if known is not None:
                    self._acted(plugin_id, wish, known)

    def publish_early(self) -> None:
        """A start takes long: from now on everything is visible as soon as it has started."""
        self._eager = True
        self._publish()

    def _publish(self) -> None:
        with self._publishing:
            self._stage.publish(self._catalog)

    def _rank_of_start(self) -> Callable[[str], int]:
        """Bundled plugins first: they set the limits for others. Then those that were active when
        the host last ran, so that of two which claim the same thing the newcomer loses."""
        before = self.wishes.active_before()

        def rank(plugin_id: str) -> int:
            if self.register.record(plugin_id).found.bundled:
                return 0
            return 1 if plugin_id in before else 2

        return rank

    def _acted(self, plugin_id: str, wish: Wish, record: Record) -> None:
        """Tells a waiting command how its wish ended; only a serving process can."""
        if self._serving:
            self.wishes.acted(plugin_id, wish.version, record.state, record.fault)

    def _tell(self, name: str, plugin_id: str, **more: Any) -> None:
        if self._serving:
            self._stage.emit(name, {"pluginId": plugin_id, **more})

    def stop(self) -> None:
        """Takes everything down, dependents first."""
        with self.change:
            order = list(self._catalog.plugins)[::-1]
            self._catalog = Catalog(self._catalog.version + 1)
            self._publish()
            for plugin_id in order:
                record = self.register.find(plugin_id)
                if record is not None and record.running is not None:
                    running, record.running = record.running, None
                    record.state = "disabled"
                    self.retire(running)

    # Changes

    def enable(self, plugin_id: str) -> PluginEntry:
        """Stores the wish and tries; the entry tells how it went. Raises NotFound."""
        self.register.look(packages=True)
        with self.change:
            record = self.register.record(plugin_id)
            if record.state != "active":
                wish = self.wishes.set(plugin_id, True)
                self._start(plugin_id, record)
                self._acted(plugin_id, wish, record)
                self._retry_waiting()
            elif not record.wished(self.wishes.get(plugin_id)):
                self.wishes.set(plugin_id, True)
            return self._entry(plugin_id)

    def disable(self, plugin_id: str) -> PluginEntry:
        """Raises NotFound; Conflict for a protected plugin, one that others need, or the owner of
        the active storage."""
        self.register.look()
        with self.change:
            record = self.register.record(plugin_id)
            self.refuse_disable(plugin_id)
            wish = self.wishes.set(plugin_id, False)
            self._switch_off(plugin_id, record, "disabled", None)
            self._acted(plugin_id, wish, record)
            return self._entry(plugin_id)

    def refuse_disable(self, plugin_id: str) -> None:
        """Raises Conflict where section 10.3.4 of the plugin contract forbids to disable."""
        if self.register.record(plugin_id).protected:
            text = f"{plugin_id} is needed to run this host and cannot be disabled."
            raise Conflict(text, code="PROTECTED_PLUGIN")
        if plugin_id not in self._catalog.plugins:
            return
        manifests = (each.manifest for each in self._catalog.plugins.values())
        dependents = dependents_of(plugin_id, manifests)
        if dependents:
            names = ", ".join(dependents)
            text = f"These active plugins require {plugin_id}: {names}. Disable them first."
            raise Conflict(text, code="HAS_DEPENDENTS")
        if self._resources.providers.owner_of_active("storage") == plugin_id:
            text = f"{plugin_id} owns the active storage. Choose another storage provider first."
            raise Conflict(text, code="PROVIDER_IN_USE")

    def quarantine(self, plugin_id: str, fault: PluginFault) -> None:
        """Takes a plugin out until a person enables it."""
        with self.change:
            record = self.register.find(plugin_id)
            if record is None or record.state != "active":
                return
            self._log.error("Plugin %s is quarantined: %s", plugin_id, fault.message)
            wish = self.wishes.set(plugin_id, True, fault)
            self._switch_off(plugin_id, record, "quarantined", fault)
            self._acted(plugin_id, wish, record)
            self._tell("host.plugin_failed", plugin_id, code=fault.code)

    def follow(self) -> None:
        """Follows wishes that another process stored; one small query when there are none."""
        with self.change:
            generation = self.wishes.generation()
            if generation == self._generation:
                return
            self._generation = generation
            self.register.look(packages=True)
            for plugin_id, wish in self._all_wishes().items():
                record = self.register.find(plugin_id)
                if record is not None:
                    self._follow(plugin_id, record, wish)
            self._retry_waiting()

    def _follow(self, plugin_id: str, record: Record, wish: Wish) -> None:
        outcome = self.wishes.outcome(plugin_id)
        known = outcome is not None and outcome[0] >= wish.version
        active = record.state == "active"
        if wish.enabled and wish.quarantine is None:
            if not active and (not known or record.state in ("disabled", "quarantined")):
                self._start(plugin_id, record)
        elif active or not known:
            state: PluginState = "quarantined" if wish.enabled else "disabled"
            self._switch_off(plugin_id, record, state, wish.quarantine if wish.enabled else None)
        if not known:
            self._acted(plugin_id, wish, record)

    # One plugin up

    def _start(self, plugin_id: str, record: Record, *, at_start: bool = False) -> None:
        """Runs the steps of section 14 of the plugin contract; the record tells how it ended."""
        record.busy = True
        try:
            fault = self.register.examine(record)
            if fault is None:
                assert record.manifest is not None
                record.running = self.attempt(record.found, record.manifest)
        except Failed as failure:
            fault = failure.fault
        finally:
            record.busy = False
        if fault is not None:
            self._fail(plugin_id, record, fault)
            return
        assert record.running is not None
        record.state, record.fault = "active", None
        self.put(record.running.published, everything=not at_start)
        self._tell("host.plugin_enabled", plugin_id)

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
        self._note.write(manifest.id)
        try:
            return start.run(self.limits.setup_timeout)
        finally:
            self._note.remove()

    def put(self, published: Published, *, everything: bool = True) -> None:
        """Makes a plugin visible, in place of an older instance of the same id."""
        self._catalog = self._catalog.with_plugin(published)
        if everything:
            self._publish()
        else:
            self._stage.offer(self._catalog)

    def _refuse_early(self, manifest: Manifest) -> None:
        """What can be judged before any code of the plugin runs; raises Failed."""
        fault = unmet_requirement(manifest, self._known_version)
        if fault is not None and fault.code == "DEPENDENCY_INACTIVE":
            circle = order_of_start(self.register.manifests())[1].get(manifest.id)
            fault = _circle_fault(circle) if circle else fault
        if fault is None:
            others = self.register.claims(manifest.id, self._catalog.plugins)
            fault = claim_conflict(manifest, others, self._stage.host_paths)
        if fault is not None:
            raise Failed(fault)

    def _known_version(self, plugin_id: str) -> tuple[str, bool] | None:
        record = self.register.find(plugin_id)
        if record is None:
            return None
        version = record.manifest.version if record.manifest else ""
        return version, plugin_id in self._catalog.plugins

    def _fail(self, plugin_id: str, record: Record, fault: PluginFault) -> None:
        record.running, record.fault = None, fault
        record.state = "incompatible" if fault.code == "SDK_INCOMPATIBLE" else "errored"
        if fault.code == "SETUP_TIMEOUT":
            record.state = "quarantined"
            self.wishes.set(plugin_id, True, fault)
        self._log.error("Plugin %s did not start: %s: %s", plugin_id, fault.code, fault.message)
        self._tell("host.plugin_failed", plugin_id, code=fault.code)

    def _retry_waiting(self) -> None:
        """Plugins that failed for want of another are tried again once it is there."""
        progress = True
        while progress:
            progress = False
            for plugin_id in self.register.ids():
                record = self.register.record(plugin_id)
                fault = record.fault if record.state == "errored" else None
                if fault is None or fault.code not in _WAITING or record.manifest is None:
                    continue
                if unmet_requirement(record.manifest, self._known_version) is None:
                    self._start(plugin_id, record)
                    progress = progress or record.state == "active"

    # One plugin down

    def _switch_off(
        self, plugin_id: str, record: Record, state: PluginState, fault: PluginFault | None
    ) -> None:
        running, record.running = record.running, None
        record.state, record.fault = state, fault
        if running is None:
            return
        self._catalog = self._catalog.without(plugin_id)
        self._publish()
        self.retire(running)
        if state == "disabled":
            self._tell("host.plugin_disabled", plugin_id)

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
            target=self.quarantine, args=(gate.plugin_id, fault), name="quarantine", daemon=True
        ).start()

    # Helpers

    def _entry(self, plugin_id: str) -> PluginEntry:
        return self.register.entry(plugin_id, self.wishes.get(plugin_id))

    def _all_wishes(self) -> dict[str, Wish]:
        try:
            return self.wishes.all()
        except Exception as error:  # an unreadable record: fail closed, but start
            self._log.error(
                "The record of enabled plugins cannot be read: third-party plugins stay off.",
                exc_info=error,
            )
            return {}

    def _providers_taken(self) -> dict[tuple[str, str], str]:
        return {
            (provider.type, provider.name): published.plugin_id
            for published in self._catalog.plugins.values()
            for provider in published.providers
        }

    def _blame_crashes(self, wishes: dict[str, Wish]) -> None:
        text = "The process died while this plugin was being started."
        for plugin_id in self._note.take():
            wish = wishes.get(plugin_id)
            fault = PluginFault("CRASHED_HOST", text)
            wishes[plugin_id] = self.wishes.set(plugin_id, wish.enabled if wish else True, fault)
            self._log.error("Plugin %s killed the host at its last start.", plugin_id)


def _circle_fault(circle: list[str]) -> PluginFault:
    names = " -> ".join([*circle, circle[0]])
    return PluginFault("DEPENDENCY_CYCLE", f"It is in a circle of requirements: {names}.")
