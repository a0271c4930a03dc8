"""The plugin manager: the switch from off to on and back, one change at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host.plugins.catalog import Catalog, Published
from host.plugins.context import Resources
from host.plugins.gate import Slots
from host.plugins.instances import Instances
from host.plugins.register import Record, Register
from host.plugins.requirements import circle_fault, dependents_of, order_of_start
from host.plugins.stage import Limits, Stage
from host.plugins.starting import Failed, one_line
from host.plugins.wishes import Wish, WishStore
from plugin_sdk import CORE_PERMISSIONS, Conflict, Permission
from plugin_sdk.management import PluginEntry, PluginFault, PluginState

__all__ = ["PluginManager"]

_WAITING = ("DEPENDENCY_INACTIVE", "DEPENDENCY_MISSING", "DEPENDENCY_VERSION")


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
        self._log = resources.log
        self._catalog = Catalog()
        self.instances = Instances(
            resources,
            register,
            stage,
            slots=slots,
            limits=limits,
            crash_folder=crash_folder,
            catalog=lambda: self._catalog,
            quarantine=self.quarantine,
        )
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
            generation = self.wishes.generation()  # first: what changes amid the start is followed
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
                    self._fail(plugin_id, record, circle_fault(circles[plugin_id]))
                else:
                    if not record.found.bundled:
                        self.bundled_started.set()
                    self._start(plugin_id, record, at_start=True)
                    if self._eager:
                        self._publish()
            self.bundled_started.set()
            self._publish()
            self._generation = generation
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
                    self.instances.retire(running)

    # Changes

    def enable(self, plugin_id: str) -> PluginEntry:
        """Stores the wish and tries; the entry tells how it went. Raises NotFound."""
        self.register.look(packages=True)
        with self.change:
            record = self.register.record(plugin_id)
            agreed = record.asks_for
            if record.state != "active":
                wish = self.wishes.set(plugin_id, True, confirmed=agreed)
                self._start(plugin_id, record)
                self._acted(plugin_id, wish, record)
                self._retry_waiting()
            elif not record.wished(self.wishes.get(plugin_id)):
                self.wishes.set(plugin_id, True, confirmed=agreed)
            else:
                self.confirm(plugin_id)
            return self._entry(plugin_id)

    def confirm(self, plugin_id: str) -> None:
        """A person agreed to what this version of a plugin declares."""
        agreed = self.register.record(plugin_id).asks_for
        if agreed is not None:
            self.wishes.confirm(plugin_id, agreed)

    def unconfirmed(self, record: Record) -> PluginFault | None:
        """For a version that came past the host (by pip, or copied into its folder) and asks for
        more than a person agreed to: none of its code runs before somebody does."""
        asked, manifest = record.asks_for, record.manifest
        wish = self.wishes.get(record.found.id) if asked else None
        if not asked or manifest is None or wish is None or wish.confirmed is None:
            return None
        added = ", ".join(sorted(asked - wish.confirmed))
        text = f"Version {manifest.version} asks for more than was confirmed: {added}."
        more = " It waits until somebody enables it, and so agrees."
        return PluginFault("CONFIRMATION_NEEDED", one_line(text + more)) if added else None

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
        """Takes a plugin out until a person enables it; in a command, out of its process alone."""
        with self.change:
            record = self.register.find(plugin_id)
            if record is None or record.state != "active":
                return
            self._log.error("Plugin %s is quarantined: %s", plugin_id, fault.message)
            wish = self.wishes.set(plugin_id, True, fault) if self._serving else None
            self._switch_off(plugin_id, record, "quarantined", fault)
            if wish is not None:
                self._acted(plugin_id, wish, record)
            self._tell("host.plugin_failed", plugin_id, code=fault.code)

    def follow(self) -> None:
        """Follows wishes that another process stored; one small query when there are none. Raises
        DatabaseUnavailable: what was not followed then is at the next call."""
        with self.change:
            generation = self.wishes.generation()
            if generation == self._generation:
                return
            self.register.look(packages=True)
            for plugin_id, wish in self.wishes.all().items():
                record = self.register.find(plugin_id)
                if record is not None:
                    self._follow(plugin_id, record, wish)
            self._retry_waiting()
            self._generation = generation

    def _follow(self, plugin_id: str, record: Record, wish: Wish) -> None:
        outcome = self.wishes.outcome(plugin_id)
        known = outcome is not None and outcome[0] >= wish.version
        works = outcome is not None and outcome[1] == "active"  # elsewhere, if not here
        active = record.state == "active"
        if wish.enabled and wish.quarantine is None:
            if not active and (not known or works or record.state in ("disabled", "quarantined")):
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
            fault = self.register.examine(record) or self.unconfirmed(record)
            if fault is None:
                assert record.manifest is not None
                record.running = self.instances.attempt(record.found, record.manifest)
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

    def put(self, published: Published, *, everything: bool = True) -> None:
        """Makes a plugin visible, in place of an older instance of the same id."""
        self._catalog = self._catalog.with_plugin(published)
        if everything:
            self._publish()
        else:
            self._stage.offer(self._catalog)

    def _fail(self, plugin_id: str, record: Record, fault: PluginFault) -> None:
        record.running, record.fault = None, fault
        record.state = "incompatible" if fault.code == "SDK_INCOMPATIBLE" else "errored"
        if fault.code == "SETUP_TIMEOUT":
            record.state = "quarantined"
            if self._serving:  # what was slow for a command may be at work in the server beside it
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
                if self.instances.unmet(record.manifest) is None:
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
        self.instances.retire(running)
        if state == "disabled":
            self._tell("host.plugin_disabled", plugin_id)

    # What is kept

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

    def _blame_crashes(self, wishes: dict[str, Wish]) -> None:
        text = "The process died while this plugin was being started."
        for plugin_id in self.instances.note.take():
            wish = wishes.get(plugin_id)
            fault = PluginFault("CRASHED_HOST", text)
            wishes[plugin_id] = self.wishes.set(plugin_id, wish.enabled if wish else True, fault)
            self._log.error("Plugin %s killed the host at its last start.", plugin_id)
