"""The steps that bring the plugin's data to their present shape, oldest first."""

from __future__ import annotations

from typing import Final

from builtin_plugins.media.folder_memory import create_memory
from builtin_plugins.media.tables import (
    add_kept_answers,
    add_kinds_of_answers,
    add_part,
    add_picture_sources,
    create_tables,
)
from plugin_sdk import Migration

__all__ = ["MIGRATIONS"]

MIGRATIONS: Final = (
    Migration("001-libraries-media-scans", create_tables),
    Migration("002-folders-without-anything-new", create_memory),
    Migration("003-where-pictures-came-from", add_picture_sources),
    Migration("004-answers-about-the-folder-in-hand", add_kept_answers),
    Migration("005-answers-until-the-scan-ends", add_kinds_of_answers),
    Migration("006-parts-of-large-folders", add_part),
)
