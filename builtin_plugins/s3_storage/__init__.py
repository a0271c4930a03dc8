"""Keeps the blobs of all plugins in a bucket of an S3-compatible store: the provider ``s3``.

The client library (botocore, the extra ``s3``) is loaded when a configured store is first used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from builtin_plugins.s3_storage.probe import probe
from builtin_plugins.s3_storage.provider import MISSING_LIBRARY, S3Storage, library_is_there
from plugin_sdk import CommandIO, JobRun, Plugin, Provider, ProviderUnavailable, command, job

_SIX_HOURS = 6 * 3600.0


class S3StoragePlugin(Plugin):
    _storage: S3Storage

    def check(self) -> Iterator[str]:
        if self._new_storage().configured and not library_is_there():
            yield MISSING_LIBRARY

    def enable(self) -> None:
        self._storage = self._new_storage()
        self.context.settings.on_change(lambda _names: self._storage.reopen())

    def providers(self) -> list[Provider]:
        return [Provider("storage", S3Storage.name, self._storage)]

    def disable(self) -> None:
        self._storage.close()

    @job("abort-leftovers", every=_SIX_HOURS, at_start=True)
    def abort_leftovers(self, run: JobRun) -> int:
        """End uploads that a crash left unfinished."""
        if not self._storage.configured:
            return 0
        try:
            aborted = self._storage.abort_leftovers(lambda: not run.cancelled)
        except ProviderUnavailable as error:
            self.context.log.warning("Unfinished uploads were not looked for: %s", error)
            return 0
        if aborted:
            self.context.log.info("%d unfinished uploads were ended.", aborted)
        return aborted

    @command("check")
    def try_out(self, io: CommandIO) -> int:
        """Try the configured store: write, read, list and delete a blob."""
        settings = self.context.settings
        storage = self._new_storage()
        if storage.configured:
            folder = settings["prefix"] or "/"
            io.print(f'{settings["endpoint"]}, bucket "{settings["bucket"]}", folder {folder}')
        try:
            return 0 if probe(storage, io) else 1
        finally:
            storage.close()

    def diagnostics(self) -> Mapping[str, Any]:
        settings = self.context.settings
        shown = ("endpoint", "region", "bucket", "prefix", "pathStyle", "presign")
        return {
            "configured": self._storage.configured,
            "library": library_is_there(),
            "trouble": self._storage.trouble,
            **{name: settings[name] for name in shown},
        }

    def _new_storage(self) -> S3Storage:
        context = self.context
        return S3Storage(context.settings, context.clock, context.log)


plugin = S3StoragePlugin
