"""Asking all active plugins what helps somebody who looks for a fault."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from host.plugins.catalog import Catalog, Published
from host.plugins.hooks import fenced
from plugin_sdk import StageboxError
from plugin_sdk.management import DiagnosticsAnswer

__all__ = ["ask_for_diagnostics"]

_AT_ONCE: Final = 4


def ask_for_diagnostics(catalog: Catalog, timeout: float) -> Mapping[str, DiagnosticsAnswer]:
    """See `plugin_sdk.management.PluginManagement.diagnostics`."""
    places = threading.Semaphore(_AT_ONCE)
    answers: dict[str, DiagnosticsAnswer] = {}
    threads = [
        threading.Thread(target=_ask, args=(each, places, timeout, answers), daemon=True)
        for each in catalog.plugins.values()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {plugin_id: answers[plugin_id] for plugin_id in sorted(answers)}


def _ask(
    published: Published,
    places: threading.Semaphore,
    timeout: float,
    answers: dict[str, DiagnosticsAnswer],
) -> None:
    """Waits for one plugin; the call itself runs on a thread of its own, which may hang."""
    assert published.plugin is not None
    hook = fenced(published.gate, published.plugin.diagnostics)
    result: list[DiagnosticsAnswer] = []

    def call() -> None:
        try:
            result.append(DiagnosticsAnswer(hook()))
        except StageboxError as error:
            result.append(DiagnosticsAnswer(error=error.message))
        except Exception as error:  # foreign code: anything may come
            result.append(DiagnosticsAnswer(error=f"{type(error).__name__}: {error}"))

    with places:
        thread = threading.Thread(target=call, name="diagnostics", daemon=True)
        thread.start()
        thread.join(timeout)
    late = DiagnosticsAnswer(error=f"It did not answer within {timeout:g} seconds.")
    answers[published.plugin_id] = result[0] if result else late
