"""Which plugin needs which: order of starting, and what is wrong with a plugin's needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from packaging.version import Version

from host.plugins.manifests import requirement_of
from plugin_sdk import Manifest
from plugin_sdk.management import PluginFault

__all__ = ["circle_fault", "dependents_of", "order_of_start", "unmet_requirement"]


def order_of_start(
    manifests: Mapping[str, Manifest], rank: Callable[[str], int] = lambda _plugin_id: 0
) -> tuple[list[str], dict[str, list[str]]]:
    """Ids with dependencies first and otherwise by id, and the members of circles.

    ``rank`` comes before the id: lower ones start earlier, as far as dependencies allow.

    A member of a circle maps to the circle's ids; it is in the order too."""
    order: list[str] = []
    circles: dict[str, list[str]] = {}
    state: dict[str, int] = {}

    def visit(plugin_id: str, trail: list[str]) -> None:
        if state.get(plugin_id) == 2:
            return
        if state.get(plugin_id) == 1:
            circle = trail[trail.index(plugin_id) :]
            for member in circle:
                circles[member] = circle
            return
        state[plugin_id] = 1
        for text in sorted(manifests[plugin_id].requires):
            needed = requirement_of(text)[0]
            if needed in manifests:
                visit(needed, [*trail, plugin_id])
        state[plugin_id] = 2
        order.append(plugin_id)

    for plugin_id in sorted(manifests, key=lambda each: (rank(each), each)):
        visit(plugin_id, [])
    return order, circles


def unmet_requirement(
    manifest: Manifest, known: Callable[[str], tuple[str, bool] | None]
) -> PluginFault | None:
    """The first need that is not met. ``known`` gives version and "is active" of a plugin."""
    for text in manifest.requires:
        needed, versions = requirement_of(text)
        found = known(needed)
        if found is None:
            return PluginFault("DEPENDENCY_MISSING", f"It requires {text}, which is not installed.")
        version, active = found
        if version and Version(version) not in versions:
            message = f"It requires {text}, but version {version} is installed."
            return PluginFault("DEPENDENCY_VERSION", message)
        if not active:
            return PluginFault("DEPENDENCY_INACTIVE", f"It requires {text}, which is not active.")
    return None


def dependents_of(plugin_id: str, active: Iterable[Manifest]) -> list[str]:
    """Ids of the active plugins that require this one, sorted."""
    return sorted(
        manifest.id
        for manifest in active
        if any(requirement_of(text)[0] == plugin_id for text in manifest.requires)
    )


def circle_fault(circle: list[str]) -> PluginFault:
    """For a member of a circle of requirements."""
    names = " -> ".join([*circle, circle[0]])
    return PluginFault("DEPENDENCY_CYCLE", f"It is in a circle of requirements: {names}.")
