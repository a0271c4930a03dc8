"""Putting a diagnostics bundle together (plugin contract, 8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from builtin_plugins.diagnostics import machine
from builtin_plugins.diagnostics.client import add_client, add_contributions
from builtin_plugins.diagnostics.draft import Draft
from builtin_plugins.diagnostics.redaction import AsItIs, Redactor
from builtin_plugins.diagnostics.report import add_answers, add_log, add_plugins
from builtin_plugins.diagnostics.wanted import Wanted
from plugin_sdk import Clock, Hooks, NotFound
from plugin_sdk.management import HostInfo, PluginManagement, SettingsManagement

__all__ = ["Exporter"]

_LIBRARY_OWNERS: Final = ("songs", "app_settings")
"""Plugins whose setting ``dlcDir`` is the folder of the song library, the first one installed."""

_README: Final = """\
This is a diagnostics bundle of Stagebox: what helps somebody who looks for a fault.

manifest.json  what is in here, and how often something was replaced
system/        versions, machine, allowed environment variables, plugins and their states
logs/          the end of the server's log
client/        what the browser or app sent along
plugins/       what plugins, and their parts in the browser, say about themselves

Unless the manifest says "redacted": false, folders, IP addresses, names of songs and secrets in
logs and in what the client sent were replaced by marks. The same thing has the same mark
throughout this bundle, and another one in the next. Look through it before you pass it on.
"""


class Exporter:
    """Makes bundles; what it needs of the host is handed in. ``env`` are the variables of the
    environment, ``home`` is the operator's folder."""

    def __init__(
        self,
        *,
        info: HostInfo,
        plugins: PluginManagement,
        settings: SettingsManagement,
        hooks: Hooks,
        clock: Clock,
        env: Mapping[str, str],
        home: Path | None,
    ) -> None:
        self._info = info
        self._plugins = plugins
        self._settings = settings
        self._hooks = hooks
        self._clock = clock
        self._env = env
        self._home = home

    def export(self, wanted: Wanted) -> bytes:
        """The bundle as a ZIP file."""
        draft = Draft(self._redactor() if wanted.redact else AsItIs())
        now, sections = self._clock.iso(), wanted.sections
        draft.bundle.add_text("README.txt", [_README])
        if "system" in sections:
            self._add_system(draft, now)
        if "hardware" in sections:
            found = machine.hardware(self._env)
            draft.bundle.add_json("system/hardware.json", "system.hardware.v1", found)
        if "logs" in sections:
            add_log(draft, self._info, self._env)
        add_client(draft, wanted)
        if "plugins" in sections:
            entries = self._plugins.entries()
            add_plugins(draft, entries, self._info.data_dir / "plugins")
            add_contributions(draft, wanted, {entry.id for entry in entries})
            add_answers(draft, self._plugins)
        return draft.finished(
            {
                "schema": 1,
                "exported_at": now,
                "version": self._info.version,
                "runtime": machine.runtime(self._env),
                "redacted": wanted.redact,
            }
        )

    def _add_system(self, draft: Draft, now: str) -> None:
        version = {"version": self._info.version, **machine.software(), "exported_at": now}
        draft.bundle.add_json("system/version.json", "system.version.v1", version)
        variables = draft.redaction.value(machine.environment(self._env))
        draft.bundle.add_json("system/env.json", "system.env.v1", {"vars": variables})

    def _redactor(self) -> Redactor:
        folders = [("<DATA_DIR>", str(self._info.data_dir)), *self._library_folder()]
        resolved = self._info.data_dir.resolve()
        folders.append(("<DATA_DIR>", str(resolved)))
        if self._home is not None:
            folders.append(("<HOME>", str(self._home)))
        return Redactor(folders, self._song_names())

    def _library_folder(self) -> Iterable[tuple[str, str]]:
        for owner in _LIBRARY_OWNERS:
            try:
                found = self._settings.values(owner).get("dlcDir")
            except NotFound:
                continue
            return [("<DLC_DIR>", found)] if isinstance(found, str) and found else []
        return []

    def _song_names(self) -> list[str]:
        """From every plugin that knows some; one that fails is logged by the host."""
        names: list[str] = []
        for result in self._hooks.call("diagnostics_song_names"):
            if result.error is None:
                names += [str(name) for name in result.value or ()]
        return names
