"""Songs: the library, its tracks and charts, what people keep with them, and the scans that find
them. See the songs contract; the work is in the other modules of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from builtin_plugins.songs.answers import Answers
from builtin_plugins.songs.bodies import OBJECT
from builtin_plugins.songs.diagnostics import diagnostics, song_names
from builtin_plugins.songs.editing import MAX_BODY, Editing
from builtin_plugins.songs.filling import fill
from builtin_plugins.songs.handover import take_over
from builtin_plugins.songs.highway import Highways
from builtin_plugins.songs.index import LibraryIndex
from builtin_plugins.songs.library_scans import JOB, Scans, scan_state
from builtin_plugins.songs.media import Media
from builtin_plugins.songs.pages import page, page_file
from builtin_plugins.songs.panel import panel
from builtin_plugins.songs.people import People
from builtin_plugins.songs.personal import Favorites, Loops, Scores, forget_profile
from builtin_plugins.songs.scanning import Scanner
from builtin_plugins.songs.shapes import (
    ARTISTS_QUERY,
    COVERS_QUERY,
    EDIT,
    FAVORITE,
    HIGHWAY_QUERY,
    LIBRARY,
    LIBRARY_QUERY,
    LOOP,
    LOOP_BODY,
    LOOPS,
    LOOPS_QUERY,
    SCAN,
    SCORE,
    SCORE_BODY,
    SCORES_BODY,
    STATS,
    TOGGLE_BODY,
    TRACK,
)
from builtin_plugins.songs.songbook import Songbook
from builtin_plugins.songs.tables import create_scanned, create_tables, number_deletions
from plugin_sdk import (
    JSON,
    MULTIPART,
    PANEL,
    Argument,
    CommandIO,
    Database,
    Event,
    JobRun,
    Page,
    Panel,
    Plugin,
    Request,
    Response,
    command,
    event_handler,
    hookimpl,
    job,
    migration,
    route,
)

__all__ = ["Songs", "plugin"]

_LIBRARY: Final = ("Library",)
_TRACKS: Final = ("Tracks",)
_PERSONAL: Final = ("Scores, loops, favourites",)
_WRITING: Final = (400, 401, 403, 404, 413, 415)


class Songs(Plugin):
    @migration("001-library")
    def create_tables(self, db: Database) -> None:
        create_tables(db)

    @migration("002-scanned")
    def create_scanned(self, db: Database) -> None:
        create_scanned(db)

    @migration("003-deletions")
    def number_deletions(self, db: Database) -> None:
        number_deletions(db)

    def enable(self) -> None:
        context = self.context
        db, clock, events = context.db, context.clock, context.events
        self._index = index = LibraryIndex(db, clock)
        self._songbook = songbook = Songbook(db)
        self._media = media = Media(context)
        self._highways = Highways(context, songbook)
        people = People(context.services)
        self._answers = Answers(context, people)
        self._editing = Editing(context, index, songbook, media)
        self._scores = Scores(db, clock, events, songbook, people)
        self._favorites = Favorites(db, events, songbook, people)
        self._loops = Loops(db, clock, songbook, people)
        self._state = state = scan_state(context)
        self._scans = Scans(context, index, state, Scanner(context, index, state, media.sweep))
        take_over(context)
        context.settings.on_change(self._scans.settings_changed)

    # The page

    @route("GET", "/songs", access="open", documented=False)
    def page(self, request: Request) -> Response:
        """The page for people"""
        return page(request.principal.profile_id)

    @route("GET", "/songs/{file}", access="open", documented=False)
    def page_file(self, request: Request) -> Response:
        """What the page is made of"""
        return page_file(request.params["file"])

    @route("GET", "/songs/panel", permission="ADMIN", returns=PANEL, documented=False)
    def panel(self, request: Request) -> Any:
        """The library and its scan at a glance"""
        return panel(self._answers.stats(), self._state.status())

    def pages(self) -> Sequence[Page | Panel]:
        return [Page("/songs", "Songs", "🎸", 30), Panel("/songs/panel", "Songs", 30)]

    # Library

    @route(
        "GET",
        "/api/library",
        access="open",
        returns=LIBRARY,
        errors=(400, 401, 403),
        tags=_LIBRARY,
        extra=LIBRARY_QUERY,
    )
    def library(self, request: Request) -> Response:
        """A page of the library"""
        return self._answers.library(request)

    @route(
        "GET",
        "/api/library/artists",
        access="open",
        errors=(400, 401, 403),
        tags=_LIBRARY,
        extra=ARTISTS_QUERY,
    )
    def artists(self, request: Request) -> Response:
        """The library by letter and artist"""
        return self._answers.artists(request)

    @route("GET", "/api/library/stats", access="open", returns=STATS, tags=_LIBRARY)
    def library_stats(self, request: Request) -> Any:
        """How many songs and artists there are, and songs by letter"""
        return self._answers.stats()

    @route("GET", "/api/library/tuning-names", access="open", tags=_LIBRARY)
    def library_tunings(self, request: Request) -> Any:
        """The tunings of the library, the most frequent first"""
        return self._answers.tuning_names()

    @route("GET", "/api/covers", access="open", errors=(400,), tags=_LIBRARY, extra=COVERS_QUERY)
    def covers(self, request: Request) -> Response:
        """Tracks with a cover, chosen by chance"""
        return self._answers.covers(request)

    @route("POST", "/api/library/cleanup-orphans", errors=(401,), status=204, tags=_LIBRARY)
    def cleanup_orphans(self, request: Request) -> Response:
        """Forget songs whose file is gone, with all that was kept for their return"""
        if self._scans.cleanup_orphans():
            self._media.sweep()
        return Response.empty()

    # Scans

    @route("POST", "/api/rescan", errors=(401,), status=202, tags=_LIBRARY)
    def rescan(self, request: Request) -> Response:
        """Look for new, changed and vanished songs"""
        return self._scans.accepted("incremental")

    @route("POST", "/api/rescan/full", errors=(401,), status=202, tags=_LIBRARY)
    def rescan_full(self, request: Request) -> Response:
        """Read all songs again"""
        return self._scans.accepted("full")

    @route("GET", "/api/scan-status", access="open", returns=SCAN, tags=_LIBRARY)
    def scan_status(self, request: Request) -> Any:
        """How the present or last scan stands"""
        return self._state.status()

    @job(JOB)
    def scan(self, run: JobRun) -> None:
        """Looks through the song folder"""
        self._scans.run(run)

    @job("begin", at_start=True)
    def begin(self, run: JobRun) -> None:
        """Begins a scan if that is wished at each start"""
        self._scans.begin()

    @job("look", every=60.0)
    def look(self, run: JobRun) -> None:
        """Begins a scan when it is time"""
        self._scans.tick()

    # Tracks

    @route(
        "GET", "/api/tracks/{track_id}", access="open", returns=TRACK, errors=(404,), tags=_TRACKS
    )
    def track(self, request: Request) -> Any:
        """A track"""
        return self._songbook.get(request.params["track_id"]).track()

    @route(
        "POST",
        "/api/tracks/{track_id}",
        permission="EDIT_TRACKS",
        body=OBJECT,
        body_required=False,
        consumes=(JSON, MULTIPART),
        max_body=MAX_BODY,
        returns=TRACK,
        errors=(400, 401, 403, 404, 413, 415, 503),
        tags=_TRACKS,
        extra=EDIT,
    )
    def edit_track(self, request: Request) -> Any:
        """Change how a track is shown; its file stays as it is"""
        return self._editing.edit(request, request.params["track_id"])

    @route(
        "DELETE",
        "/api/tracks/{track_id}",
        permission="DELETE_TRACKS",
        status=204,
        errors=(401, 403, 404),
        tags=_TRACKS,
    )
    def delete_track(self, request: Request) -> Response:
        """Delete a track from the library; its file stays"""
        self._editing.delete(request.params["track_id"])
        return Response.empty()

    @route("GET", "/api/tracks/{track_id}/data", access="open", errors=(404,), tags=_TRACKS)
    def track_data(self, request: Request) -> Any:
        """Where a track's parts are kept"""
        return self._songbook.get(request.params["track_id"]).data()

    @route(
        "GET", "/api/tracks/{track_id}/cover", access="open", errors=(404, 416, 503), tags=_TRACKS
    )
    def cover(self, request: Request) -> Response:
        """The cover, as PNG"""
        return self._media.cover(self._songbook.get(request.params["track_id"]))

    @route(
        "GET", "/api/tracks/{track_id}/audio", access="open", errors=(404, 416, 503), tags=_TRACKS
    )
    def audio(self, request: Request) -> Response:
        """The full mix"""
        return self._media.audio(self._songbook.get(request.params["track_id"]))

    @route("GET", "/api/tracks/{track_id}/stems", access="open", errors=(404,), tags=_TRACKS)
    def stems(self, request: Request) -> Any:
        """The stems of a track"""
        return {"stems": self._songbook.get(request.params["track_id"]).stems()}

    @route(
        "GET",
        "/api/tracks/{track_id}/stems/{index}/audio",
        access="open",
        errors=(400, 404, 416, 503),
        tags=_TRACKS,
    )
    def stem_audio(self, request: Request) -> Response:
        """One stem"""
        return self._answers.stem(request, self._songbook, self._media)

    @route(
        "GET",
        "/api/tracks/{track_id}/highway",
        access="open",
        errors=(400, 404, 503),
        tags=_TRACKS,
        extra=HIGHWAY_QUERY,
    )
    def track_highway(self, request: Request) -> Response:
        """The chart of an arrangement"""
        return self._highways.answer(request)

    # What people keep

    @route(
        "POST",
        "/api/tracks/{track_id}/score",
        access="profile",
        body=OBJECT,
        returns=SCORE,
        status=201,
        errors=_WRITING,
        tags=_PERSONAL,
        extra=SCORE_BODY,
    )
    def submit_score(self, request: Request) -> Response:
        """Submit a score"""
        return Response.created(self._scores.submit(request, request.params["track_id"]))

    @route(
        "POST",
        "/api/scores/batch",
        access="profile",
        body=OBJECT,
        errors=_WRITING,
        tags=_PERSONAL,
        extra=SCORES_BODY,
    )
    def scores(self, request: Request) -> Any:
        """Scores of up to 500 tracks"""
        return self._scores.batch(request)

    @route(
        "GET",
        "/api/tracks/{track_id}/loops",
        access="open",
        returns=LOOPS,
        errors=(400, 404),
        tags=_PERSONAL,
        extra=LOOPS_QUERY,
    )
    def loops(self, request: Request) -> Any:
        """A profile's loops on a track, oldest first"""
        return self._loops.all(request, request.params["track_id"])

    @route(
        "POST",
        "/api/tracks/{track_id}/loops",
        access="profile",
        body=OBJECT,
        returns=LOOP,
        status=201,
        errors=(*_WRITING, 409),
        tags=_PERSONAL,
        extra=LOOP_BODY,
    )
    def add_loop(self, request: Request) -> Response:
        """Keep a loop"""
        return Response.created(self._loops.add(request, request.params["track_id"]))

    @route(
        "DELETE",
        "/api/loops/{loop_id}",
        access="profile",
        status=204,
        errors=(400, 401, 403, 404),
        tags=_PERSONAL,
    )
    def delete_loop(self, request: Request) -> Response:
        """Delete a loop"""
        return self._answers.delete_loop(request, self._loops)

    @route(
        "POST",
        "/api/favorites/toggle",
        access="profile",
        body=OBJECT,
        returns=FAVORITE,
        errors=_WRITING,
        tags=_PERSONAL,
        extra=TOGGLE_BODY,
    )
    def toggle_favorite(self, request: Request) -> Any:
        """Make a track a favourite, or no more one"""
        return self._favorites.toggle(request)

    @event_handler("accounts.profile_deleted")
    def forget_profile(self, event: Event) -> None:
        forget_profile(self.context.db, event.data["profileId"])

    # For operators

    @command("scan", Argument("--full", "Read all songs again", flag=True, required=False))
    def scan_now(self, io: CommandIO, full: bool = False) -> int:
        """Look through the song folder, and wait for the end."""
        return self._scans.by_command(io, "full" if full else "incremental")

    @command("fill", Argument("count", "How many", type="integer"))
    def fill_library(self, io: CommandIO, count: int) -> None:
        """Add made-up songs without files, to try a large library without a song folder."""
        context = self.context
        total = fill(context.db, self._index, context.clock, context.settings, count)
        io.print(f"The library has {total} songs.")

    @hookimpl(optionalhook=True)
    def diagnostics_song_names(self) -> Iterator[str]:
        """Asked by ``diagnostics``: names that a redacted bundle must not show."""
        return song_names(self.context.db)

    def diagnostics(self) -> Mapping[str, Any]:
        return diagnostics(self.context.db, self._state.status())


plugin = Songs
