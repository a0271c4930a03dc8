"""Answers of routes that read parameters first."""

from __future__ import annotations

import re
from typing import Any, Final

from builtin_plugins.songs.artists import LETTERS, ArtistsQuery, artists_json
from builtin_plugins.songs.counting import random_covers, stats, tuning_names
from builtin_plugins.songs.filters import LibraryQuery, words_of
from builtin_plugins.songs.listing import Library
from builtin_plugins.songs.media import Media
from builtin_plugins.songs.parameters import Parameters
from builtin_plugins.songs.people import People
from builtin_plugins.songs.personal import Loops
from builtin_plugins.songs.songbook import Songbook
from plugin_sdk import Context, Invalid, Request, Response

__all__ = ["Answers"]

_STEM_INDEX: Final = re.compile("[0-9]+")
_LOOP_ID: Final = re.compile("0*[1-9][0-9]*")
_LONGEST: Final = 200
_DIGITS: Final = 18
"""So many fit into 64 bits."""
_NO_ID: Final = 0


class Answers:
    def __init__(self, context: Context, people: People) -> None:
        self._context = context
        self._people = people
        self._library = Library(context.db)

    def library(self, request: Request) -> Response:
        self._check_favorites(request)
        formats = [each.name for each in self._context.providers.entries("song_format")]
        query = LibraryQuery.of(request, formats)
        return Response.json_text(self._library.page(query, request.principal.profile_id))

    def artists(self, request: Request) -> Response:
        self._check_favorites(request)
        read = Parameters(request)
        letter = read.choice("letter", LETTERS)
        words = words_of(read.text("q", _LONGEST))
        favorites = bool(read.boolean("favorites"))
        read.finish()
        query = ArtistsQuery(letter, words, favorites, request.principal.profile_id)
        pieces = artists_json(self._context.db, query)
        if request.method == "HEAD":  # how long it is shows only when it is made
            length = sum(map(len, pieces))
            return Response.stream((), "application/json", length)
        return Response.stream(pieces, "application/json")

    def stats(self) -> dict[str, Any]:
        return stats(self._context.db)

    def tuning_names(self) -> list[dict[str, Any]]:
        return tuning_names(self._context.db)

    def covers(self, request: Request) -> Response:
        read = Parameters(request)
        count = read.integer("count", 30, 1, 100)
        read.finish()
        headers = {"Cache-Control": "public, max-age=60"}
        return Response(random_covers(self._context.db, count), headers=headers)

    def stem(self, request: Request, songbook: Songbook, media: Media) -> Response:
        text = request.params["index"]
        if not _STEM_INDEX.fullmatch(text):
            raise Invalid("The index of a stem is a number.")
        song = songbook.get(request.params["track_id"])
        return media.stem(song, int(text) if len(text) <= _DIGITS else len(song.facts.stems))

    def delete_loop(self, request: Request, loops: Loops) -> Response:
        text = request.params["loop_id"]
        if not _LOOP_ID.fullmatch(text):
            raise Invalid("The id of a loop is a positive integer.")
        loops.delete(request.principal, int(text) if len(text) <= _DIGITS else _NO_ID)
        return Response.empty()

    def _check_favorites(self, request: Request) -> None:
        """Who asks for favourites has to be somebody: judged before other parameters."""
        read = Parameters(request)
        if read.boolean("favorites"):
            self._people.caller(request.principal)
