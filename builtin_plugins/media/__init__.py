"""Media: a library of films and shows. See the contract of the same name; the work is in the
other modules of this folder.

Offers the service ``media.metadata_state``: a callable that says how metadata providers do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from builtin_plugins.media import shapes
from builtin_plugins.media.answers import envelope, success
from builtin_plugins.media.artwork import Pictures
from builtin_plugins.media.catalogue import Catalogue
from builtin_plugins.media.config_schema import check_config
from builtin_plugins.media.declaring import changing as _change
from builtin_plugins.media.declaring import getting as _get
from builtin_plugins.media.fields import read_id, read_query
from builtin_plugins.media.folder_memory import FolderMemory
from builtin_plugins.media.frames import Frames
from builtin_plugins.media.gatekeeping import Gatekeeping
from builtin_plugins.media.gradients import DETAIL_SECONDS, LIST_SECONDS, Gradients
from builtin_plugins.media.ids import Ids
from builtin_plugins.media.items import Items
from builtin_plugins.media.libraries import Libraries
from builtin_plugins.media.library_routes import LibraryRoutes
from builtin_plugins.media.migrations import MIGRATIONS
from builtin_plugins.media.operator_commands import OperatorCommands, Servers
from builtin_plugins.media.pages import page, page_file
from builtin_plugins.media.panel import panel
from builtin_plugins.media.provider_rows import ProviderRows
from builtin_plugins.media.scan_jobs import ScanJobs
from builtin_plugins.media.scan_routes import ScanRoutes
from builtin_plugins.media.scanner import Scanner
from builtin_plugins.media.settings_routes import ProviderRoutes, SettingsRoutes
from builtin_plugins.media.streaming import image, stream
from builtin_plugins.media.tally import Tally
from builtin_plugins.media.workshop import Workshop
from plugin_sdk import (
    PANEL,
    Argument,
    CommandIO,
    Event,
    JobRun,
    Migration,
    Page,
    Panel,
    Plugin,
    Request,
    RequestFilter,
    Response,
    StageboxError,
    command,
    event_handler,
    job,
    route,
)

__all__ = ["Media", "plugin"]

_SCAN: Final = "scan"
_PROVIDER: Final = "/settings/providers/{name}"


class Media(Plugin):
    _items: Items
    _gradients: Gradients
    _catalogue: Catalogue
    _pictures: Pictures
    _libraries: Libraries
    _library_routes: LibraryRoutes
    _scan_routes: ScanRoutes
    _settings_routes: SettingsRoutes
    _provider_routes: ProviderRoutes
    _rows: ProviderRows
    _jobs: ScanJobs
    _scanner: Scanner
    _gatekeeping: Gatekeeping
    _operator: OperatorCommands

    def migrations(self) -> Sequence[Migration]:
        return MIGRATIONS

    def enable(self) -> None:
        context = self.context
        db, clock, log, settings = context.db, context.clock, context.log, context.settings
        self._plugins = context.services.get("host.plugins")
        info = self._info = context.services.get("host.info")
        ids = Ids(clock)
        frames = Frames(context.realtime, clock)
        catalogue = self._catalogue = Catalogue(db, ids, clock, context.events, FolderMemory(db))
        rows = self._rows = ProviderRows(
            db, clock, context.providers, os.environ, lambda: settings.get("tmdbApiKey") or ""
        )
        pictures = Pictures(lambda: context.blobs, context.http, log, rows.hosts)
        self._pictures = pictures
        self._items = Items(db, clock)
        self._gradients = Gradients(db, pictures, clock, log)
        tally = Tally(db)
        self._libraries = Libraries(db, ids, clock, catalogue, tally)
        self._jobs = ScanJobs(db, ids, clock)
        shop = Workshop(
            context, ids, self._jobs, catalogue, self._libraries, frames, rows, pictures, tally
        )
        self._scanner = Scanner(shop)
        events = context.events
        self._library_routes = LibraryRoutes(db, self._libraries, frames, events)
        self._scan_routes = ScanRoutes(
            db, self._libraries, self._jobs, frames, events, settings, self._start_scan
        )
        self._settings_routes = SettingsRoutes(settings, self._rows, self._governed, log)
        self._provider_routes = ProviderRoutes(self._rows, check_config)
        self._gatekeeping = Gatekeeping(settings, context.permissions, self._governed)
        self._operator = OperatorCommands(
            self._scan_routes,
            self._jobs,
            self._scanner,
            Servers(info, context.http),
            self._start_scan,
        )
        settings.on_change(self._settings_changed)
        rows.catch_up()  # with what was changed while this plugin was off
        context.services.offer("media.metadata_state", shop.metadata_state)

    def disable(self) -> None:
        self._gradients.close()
        if not self._plugins.entry(self.context.plugin_id).enabled:
            self._jobs.pause()  # an operator's word, not the end of the process (7.2)

    def filters(self) -> Sequence[RequestFilter]:
        return self._gatekeeping.filters()

    def error_body(self, error: StageboxError, request: Request) -> Any:
        return envelope(error, request) if request.path.startswith("/api/v1") else None

    def diagnostics(self) -> Mapping[str, Any]:
        return {**self._libraries.stats(), "scans": len(self._jobs.active())}

    # The page

    @route("GET", "/media", access="open", documented=False)
    def page(self, request: Request) -> Response:
        """The page for people"""
        return page(request, self._info.websocket_url())

    @route("GET", "/media/{file}", access="open", documented=False)
    def page_file(self, request: Request) -> Response:
        """What the page is made of"""
        return page_file(request.params["file"])

    @route("GET", "/media/panel", permission="ADMIN", returns=PANEL, documented=False)
    def panel(self, request: Request) -> Any:
        """Films, shows and scans at a glance"""
        return panel(self._libraries.stats(), len(self._jobs.active()))

    def pages(self) -> Sequence[Page | Panel]:
        return [Page("/media", "Media", "🎬", 20), Panel("/media/panel", "Media", 20)]

    # Films and shows

    @_get("/search", shapes.SEARCH, shapes.SEARCHED, errors=(400,))
    def search(self, request: Request) -> Response:
        """Films and shows whose title holds a text, ten in all"""
        found = self._items.search(read_query(request))
        both = [*found["movies"], *found["tvShows"]]
        self._gradients.complete(both, LIST_SECONDS)
        return success(found)

    @_get("/movies", shapes.MOVIES)
    def movies(self, request: Request) -> Response:
        """The ten newest films"""
        return self._listed(self._items.newest_movies())

    @_get("/movies/{id}", shapes.MOVIE, errors=(400, 404))
    def movie(self, request: Request) -> Response:
        """One film"""
        return self._detail(self._items.movie(read_id(request)))

    @_get("/tvshows", shapes.SHOWS)
    def shows(self, request: Request) -> Response:
        """The ten newest shows"""
        return self._listed(self._items.newest_shows())

    @_get("/tvshows/{id}", shapes.SHOW, errors=(400, 404))
    def show(self, request: Request) -> Response:
        """One show with its seasons and episodes"""
        return self._detail(self._items.show(read_id(request)))

    def _listed(self, items: list[dict[str, Any]]) -> Response:
        self._gradients.complete(items, LIST_SECONDS)
        return success(items)

    def _detail(self, item: dict[str, Any]) -> Response:
        self._gradients.complete([item], DETAIL_SECONDS)
        return success(item)

    # Bytes

    @_get("/stream/{id}", None, errors=(206, 304, 400, 404, 416))
    def stream(self, request: Request) -> Response:
        """The file of a film or an episode, whole or a range of it"""
        return stream(self._items, read_id(request))

    @_get("/image/{name}", None, errors=(304, 404))
    def image(self, request: Request) -> Response:
        """Artwork that a scan stored"""
        return image(self.context.blobs, request.params["name"])

    # Libraries

    @_get("/library", shapes.LIBRARIES, shapes.LIBRARY_FILTERS, errors=(400,))
    def libraries(self, request: Request) -> Response:
        """All libraries"""
        return self._library_routes.list(request)

    @_change("POST", "/library", shapes.LIBRARY, shapes.LIBRARY_BODY, status=201, errors=(400, 409))
    def create_library(self, request: Request) -> Response:
        """Make a library"""
        return self._library_routes.create(request)

    @_change("PUT", "/library", shapes.CHANGED_LIBRARY, shapes.LIBRARY_BODY, errors=(400, 404, 409))
    def change_named_library(self, request: Request) -> Response:
        """Change the library that the body names"""
        return self._library_routes.change(request)

    @_change("DELETE", "/library", shapes.DELETED_LIBRARY, shapes.NAMED_LIBRARY, errors=(400, 404))
    def delete_named_library(self, request: Request) -> Response:
        """Delete the library that the body names; no file is touched"""
        return self._library_routes.delete(request)

    @_get("/library/stats", shapes.ALL_STATS)
    def all_stats(self, request: Request) -> Response:
        """Counts over all libraries"""
        return success(self._libraries.stats())

    @_get("/library/{id}", shapes.LIBRARY, errors=(404,))
    def library(self, request: Request) -> Response:
        """One library"""
        return success(self._libraries.one(request.params["id"]))

    @_get("/library/{id}/stats", shapes.LIBRARY_STATS, errors=(404,))
    def library_stats(self, request: Request) -> Response:
        """Counts over one library"""
        return success(self._libraries.stats(request.params["id"]))

    @_change(
        "PUT", "/library/{id}", shapes.CHANGED_LIBRARY, shapes.LIBRARY_BODY, errors=(400, 404, 409)
    )
    def change_library(self, request: Request) -> Response:
        """Change a library"""
        return self._library_routes.change(request, request.params["id"])

    @_change("DELETE", "/library/{id}", shapes.DELETED_LIBRARY, None, errors=(404,))
    def delete_library(self, request: Request) -> Response:
        """Delete a library and what it alone holds; no file is touched"""
        return self._library_routes.delete(request, request.params["id"])

    # Scans

    @_change("POST", "/scan/path", shapes.ACCEPTED, shapes.SCAN_BODY, status=202, errors=(400, 409))
    def scan_path(self, request: Request) -> Response:
        """Scan a folder; it becomes a library if it is none"""
        return self._scan_routes.begin(request)

    @_get("/scan/job/{id}", shapes.JOB, errors=(404,))
    def scan_job(self, request: Request) -> Response:
        """One scan"""
        return self._scan_routes.job(request.params["id"])

    @_get("/scan/jobs", shapes.JOBS, shapes.JOB_FILTERS, errors=(400,))
    def scan_jobs(self, request: Request) -> Response:
        """Scans, newest first"""
        return self._scan_routes.jobs(request)

    @_change("POST", "/scan/resume/{id}", shapes.RESUMED, None, status=202, errors=(404, 409))
    def resume_scan(self, request: Request) -> Response:
        """Go on with a scan that failed or was paused"""
        return self._scan_routes.resume(request.params["id"])

    @_change(
        "POST", "/scan/cleanup", shapes.CLEANED, shapes.CLEANUP_BODY, shapes.DAYS, errors=(400,)
    )
    def clean_up_scans(self, request: Request) -> Response:
        """End scans without a sign of life; with days, delete old ones"""
        return self._scan_routes.cleanup(request)

    @job(_SCAN, every=300.0, at_start=True)
    def scan(self, run: JobRun) -> int:
        """Scans the folders that wait, one after the other"""
        return self._scanner.work(run)

    @job("collect-pictures", every=86_400.0)
    def collect_pictures(self, run: JobRun) -> int:
        """Deletes stored pictures that no film and no show has any more"""
        return self._pictures.collect(self._catalogue.pictured, run)

    # Settings

    @_get("/settings", shapes.SETTINGS)
    def settings(self, request: Request) -> Response:
        """The settings; a key is not sent back"""
        return success(self._settings_routes.shown())

    @_change("PUT", "/settings", shapes.SETTINGS, shapes.SETTINGS_BODY, errors=(400, 409))
    def change_settings(self, request: Request) -> Response:
        """Change some settings"""
        return self._settings_routes.put(request)

    @_change("POST", "/settings/first-run-complete", None, None)
    def finish_first_run(self, request: Request) -> Response:
        """Note that everything is set up"""
        return self._settings_routes.finish_first_run()

    @_change("POST", "/settings/reset", shapes.SETTINGS, None)
    def reset_settings(self, request: Request) -> Response:
        """All settings back to their defaults, but the key"""
        return self._settings_routes.reset()

    @_change("POST", "/settings/reset-scan", shapes.SETTINGS, None)
    def reset_scan_settings(self, request: Request) -> Response:
        """Settings of scans back to their defaults"""
        return self._settings_routes.reset_scan()

    @_get("/settings/providers", shapes.PROVIDERS)
    def metadata_providers(self, request: Request) -> Response:
        """Metadata providers in the order of asking"""
        return self._provider_routes.list()

    @_change("POST", "/settings/providers", shapes.PROVIDER, shapes.PROVIDER_BODY, errors=(400,))
    def put_metadata_provider(self, request: Request) -> Response:
        """Set up a metadata provider"""
        return self._provider_routes.post(request)

    @_get(_PROVIDER, shapes.PROVIDER, errors=(404,))
    def metadata_provider(self, request: Request) -> Response:
        """One metadata provider"""
        return self._provider_routes.get(request.params["name"])

    @_change("PUT", _PROVIDER, shapes.PROVIDER, shapes.PROVIDER_BODY, errors=(400, 404))
    def change_metadata_provider(self, request: Request) -> Response:
        """Change a metadata provider"""
        return self._provider_routes.put(request, request.params["name"])

    @_change("DELETE", _PROVIDER, None, None, errors=(404,))
    def delete_metadata_provider(self, request: Request) -> Response:
        """Forget a metadata provider's configuration"""
        return self._provider_routes.delete(request.params["name"])

    @event_handler("host.provider_changed")
    def provider_chosen(self, event: Event) -> None:
        """``stagebox provider use metadata NAME`` (5.9)."""
        if event.data["type"] == "metadata":
            self._rows.prefer(event.data["name"])

    # Commands

    @command(
        "scan",
        Argument("path", "The folder"),
        Argument("--type", "What is in it", choices=("movie", "tv")),
        Argument("--name", "The library's name", required=False),
        Argument("--rescan", "Fetch all metadata again", flag=True, required=False, default=False),
        Argument("--no-wait", "Do not wait for the end", flag=True, required=False, default=False),
    )
    def scan_command(
        self,
        io: CommandIO,
        path: str,
        type: str,
        name: str | None = None,
        rescan: bool = False,
        no_wait: bool = False,
    ) -> int:
        """Scan a folder; prints the job as one line of JSON."""
        return self._operator.scan(io, path, type, name, rescan=rescan, no_wait=no_wait)

    # Helpers

    def _start_scan(self, job_id: str) -> None:
        self.context.jobs.start(_SCAN, {"job": job_id}, key=job_id)

    def _governed(self) -> bool:
        """Whether there is a profile that could open what is guarded."""
        return any(each.governs() for each in self.context.providers.chain("auth"))

    def _settings_changed(self, names: frozenset[str]) -> None:
        if "tmdbApiKey" in names:
            self._rows.catch_up()


plugin = Media
