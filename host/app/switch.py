"""The switch from one catalog to the next: what each part of the host is told."""

from __future__ import annotations

from host.events import EventBus, Subscriber
from host.jobs import JobKind, JobService
from host.plugins.catalog import Catalog
from host.plugins.hooks import fenced
from host.plugins.services import ServiceRegistry
from host.providers import ProviderRegistry, Registered
from host.web.layer import WebLayer

__all__ = ["Switch"]


class Switch:
    def __init__(
        self,
        *,
        registry: ProviderRegistry,
        services: ServiceRegistry,
        web: WebLayer,
        bus: EventBus,
        jobs: JobService,
    ) -> None:
        self._registry = registry
        self._services = services
        self._web = web
        self._bus = bus
        self._jobs = jobs

    def offer(self, catalog: Catalog) -> None:
        """Providers and services alone: what plugins that start after it may ask for."""
        registered = [
            Registered(published.plugin_id, each.type, each.name, each.implementation)
            for published in catalog.plugins.values()
            for each in published.providers
        ]
        self._registry.publish(registered)
        offered: dict[str, object] = {}
        for published in catalog.plugins.values():
            offered.update(published.services)
        self._services.publish(offered)

    def publish(self, catalog: Catalog) -> None:
        """Everything: from here on it is what requests, events and jobs find."""
        self.offer(catalog)
        self._web.publish(catalog)
        subscribers, kinds = [], []
        for published in catalog.plugins.values():
            gate = published.gate
            for each in published.subscriptions:
                call = fenced(gate, each.handler)
                subscribers.append(Subscriber(published.plugin_id, each.event, call))
            for job in published.jobs:
                kinds.append(JobKind(published.plugin_id, job, fenced(gate, job.handler)))
        self._bus.subscribe(subscribers)
        self._jobs.declare(kinds)
