"""The tables, as the first migration makes them (media contract, 10).

Times end in ``_at`` and are milliseconds since the epoch; dates are ISO texts.
"""

from __future__ import annotations

from typing import Final

from plugin_sdk import Column, Database, ForeignKey

__all__ = [
    "add_kept_answers",
    "add_kinds_of_answers",
    "add_part",
    "add_picture_sources",
    "create_tables",
]

_TEXT: Final = Column("text", null=False)
_WHOLE: Final = Column("integer", null=False)
_ZERO: Final = Column("integer", null=False, default=0)


def create_tables(database: Database) -> None:
    _create_media(database)
    _create_files(database)
    _create_films_and_shows(database)
    _create_details(database)
    _create_jobs(database)
    _create_providers(database)


def add_picture_sources(database: Database) -> None:
    """Where stored pictures came from, and who has a picture."""
    media = database.table("media")
    media.add_column("poster_source", "text")
    media.add_column("backdrop_source", "text")
    media.create_index(["poster_url"], where="poster_url IS NOT NULL")
    media.create_index(["backdrop_url"], where="backdrop_url IS NOT NULL")


def add_kept_answers(database: Database) -> None:
    """What providers said about the folder that a scan has in hand."""
    database.table("kept_answer").create(
        {"job_id": _owned("scan_job"), "key": _TEXT, "answer": _TEXT}, pk=("job_id", "key")
    )


def add_kinds_of_answers(database: Database) -> None:
    """What of it goes with the folder, and what stays until the scan ends."""
    database.execute("DELETE FROM kept_answer")
    database.table("kept_answer").add_column("kind", Column("text", null=False, default="title"))


def add_part(database: Database) -> None:
    """How far the folder in hand is stored: up to this path."""
    database.table("scan_job").add_column("part", "text")


def _owned(table: str, *, null: bool = False, unique: bool = False) -> Column:
    return Column("text", null=null, references=ForeignKey(table, "id", "cascade"), unique=unique)


def _create_media(database: Database) -> None:
    media = database.table("media").create(
        {
            "id": _TEXT,
            "type": _TEXT,
            "title": _TEXT,
            "folded": _TEXT,
            "description": "text",
            "poster_url": "text",
            "plain_poster_url": "text",
            "backdrop_url": "text",
            "logo_url": "text",
            # JSON: four colours, or [] for a picture without any; NULL is not computed.
            "colors": "text",
            "colors_failures": _ZERO,
            "colors_failed_at": "integer",
            "release_date": "text",
            "rating": "real",
            "metadata_provider": "text",
            "created_at": _WHOLE,
            "updated_at": _WHOLE,
        },
        pk="id",
    )
    media.create_index(["type", "-created_at", "-id"])
    media.create_index(["type", "folded", "id"])
    # A show's folder, or the library and title of loose files, leads to the show.
    keys = database.table("show_key").create({"key": _TEXT, "media_id": _owned("media")}, pk="key")
    keys.create_index(["media_id"])


def _create_files(database: Database) -> None:
    library = database.table("library").create(
        {
            "id": _TEXT,
            "name": _TEXT,
            "folded": _TEXT,
            "slug": Column("text", null=False, unique=True),
            "description": "text",
            "poster_url": "text",
            "backdrop_url": "text",
            "is_library": Column("boolean", null=False),
            "library_path": "text",
            "library_type": "text",
            "created_at": _WHOLE,
            "updated_at": _WHOLE,
        },
        pk="id",
    )
    library.create_index(["library_path"], unique=True, where="library_path IS NOT NULL")
    database.table("file").create(
        {
            "id": _TEXT,
            "path": Column("text", null=False, unique=True),
            "resolved": _TEXT,
            "size": _WHOLE,
            "mtime_ns": _WHOLE,
        },
        pk="id",
    )
    links = database.table("library_file").create(
        {"library_id": _owned("library"), "file_id": _owned("file"), "folder": _TEXT},
        pk=("library_id", "file_id"),
    )
    links.create_index(["file_id"])
    links.create_index(["library_id", "folder"])


def _create_films_and_shows(database: Database) -> None:
    movie = database.table("movie").create(
        {
            "id": _TEXT,
            "media_id": _owned("media"),
            "file_id": _owned("file", unique=True),
            "duration": "integer",
            "trailer_url": "text",
            "created_at": _WHOLE,
            "updated_at": _WHOLE,
        },
        pk="id",
    )
    movie.create_index(["media_id"])
    database.table("tvshow").create(
        {
            "id": _TEXT,
            "media_id": _owned("media", unique=True),
            "creator": "text",
            "network": "text",
            "created_at": _WHOLE,
            "updated_at": _WHOLE,
        },
        pk="id",
    )
    database.table("season").create(
        {
            "id": _TEXT,
            "show_id": _owned("tvshow"),
            "number": _WHOLE,
            "name": _TEXT,
            "overview": "text",
            "air_date": "text",
            "poster_url": "text",
            # Whether the last look-up of this season ended in an error: it is asked for again.
            "failed": Column("boolean", null=False, default=False),
        },
        pk="id",
        unique=[["show_id", "number"]],
    )
    episode = database.table("episode").create(
        {
            "id": _TEXT,
            "season_id": _owned("season"),
            "number": _WHOLE,
            "title": _TEXT,
            "overview": "text",
            "air_date": "text",
            "runtime": "integer",
            "still_url": "text",
            "file_id": _owned("file"),
        },
        pk="id",
        unique=[["season_id", "number"]],
    )
    episode.create_index(["file_id"])


def _create_details(database: Database) -> None:
    ids = database.table("external_id").create(
        {"type": _TEXT, "source": _TEXT, "external_id": _TEXT, "media_id": _owned("media")},
        pk=("type", "source", "external_id"),
    )
    ids.create_index(["media_id", "source"], unique=True)
    database.table("genre").create({"id": "integer", "name": Column("text", unique=True)}, pk="id")
    genre = Column("integer", null=False, references=ForeignKey("genre", "id", "cascade"))
    links = database.table("media_genre").create(
        {"media_id": _owned("media"), "genre_id": genre}, pk=("media_id", "genre_id")
    )
    links.create_index(["genre_id"])
    database.table("person").create(
        {"id": "integer", "key": Column("text", unique=True), "name": _TEXT}, pk="id"
    )
    person = Column("integer", null=False, references=ForeignKey("person", "id", "cascade"))
    people = database.table("media_person").create(
        {
            "media_id": _owned("media"),
            "position": _WHOLE,
            "person_id": person,
            "role": _TEXT,
            "character": "text",
        },
        pk=("media_id", "position"),
    )
    people.create_index(["person_id"])


def _create_jobs(database: Database) -> None:
    job = database.table("scan_job").create(
        {
            "id": _TEXT,
            "library_id": _owned("library"),
            "scan_path": _TEXT,
            "media_type": _TEXT,
            "status": _TEXT,
            "options": _TEXT,
            "run": _ZERO,  # grows whenever a worker loses its right to write
            "listed": Column("boolean", null=False, default=False),
            "position": _ZERO,  # folders before it are done
            "total_folders": _ZERO,
            "processed_folders": _ZERO,
            "failed_folders": _ZERO,
            "scanned": _ZERO,
            "saved": _ZERO,
            "skipped": _ZERO,
            "lookups": _ZERO,
            "found": _ZERO,
            "not_found": _ZERO,
            "lookup_errors": _ZERO,
            "metadata_status": _TEXT,
            "error": "text",
            "started_at": "integer",
            "last_batch_at": "integer",
            "completed_at": "integer",
            "created_at": _WHOLE,
            "updated_at": _WHOLE,
        },
        pk="id",
    )
    job.create_index(["-created_at", "-id"])
    job.create_index(["status", "-created_at", "-id"])
    job.create_index(["library_id", "-created_at", "-id"])
    folder = database.table("scan_folder").create(
        {
            "job_id": _owned("scan_job"),
            "position": _WHOLE,
            "name": _TEXT,
            "failed": Column("boolean", null=False, default=False),
        },
        pk=("job_id", "position"),
    )
    folder.create_index(["job_id", "position"], where="failed", name="scan_folder_failed")


def _create_providers(database: Database) -> None:
    database.table("provider").create(
        {
            "id": _TEXT,
            "name": Column("text", null=False, unique=True),
            "enabled": Column("boolean", null=False),
            "priority": _WHOLE,
            "config": _TEXT,  # JSON
            "created_at": _WHOLE,
            "updated_at": _WHOLE,
        },
        pk="id",
    )
    database.table("note").create({"name": _TEXT, "value": _TEXT}, pk="name")
