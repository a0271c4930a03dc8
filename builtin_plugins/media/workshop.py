"""What a scan works with: the parts that outlive a single job."""

from __future__ import annotations

from builtin_plugins.media.artwork import Pictures
from builtin_plugins.media.catalogue import Catalogue
from builtin_plugins.media.folder_plan import Files
from builtin_plugins.media.frames import Frames
from builtin_plugins.media.ids import Ids
from builtin_plugins.media.libraries import Libraries
from builtin_plugins.media.notes import Notes
from builtin_plugins.media.provider_rows import ProviderRows
from builtin_plugins.media.scan_jobs import ScanJobs
from builtin_plugins.media.tally import Tally
from plugin_sdk import Context

__all__ = ["Workshop"]

_METADATA_STATE = "metadata_state"


class Workshop:
    """What a scan works with."""

    def __init__(
        self,
        context: Context,
        ids: Ids,
        jobs: ScanJobs,
        catalogue: Catalogue,
        libraries: Libraries,
        frames: Frames,
        rows: ProviderRows,
        pictures: Pictures,
        tally: Tally,
    ) -> None:
        self.db = context.db
        self.clock = context.clock
        self.log = context.log
        self.events = context.events
        self.jobs = jobs
        self.catalogue = catalogue
        self.memory = catalogue.memory
        self.libraries = libraries
        self.files = Files(context.db, ids)
        self.frames = frames
        self.rows = rows
        self.pictures = pictures
        self._tally = tally
        self._notes = Notes(context.db)
        self._state: str | None = None

    def told(self, succeeded: bool) -> None:
        """Remembers how the last call of a provider went, for the health route."""
        self._state = "healthy" if succeeded else "unreachable"

    def write_state(self) -> None:
        """Inside each transaction that stores a folder: what is counted may be different now."""
        self._tally.touch()
        if self._state is not None:
            self._notes.set(_METADATA_STATE, self._state)
            self._state = None

    def metadata_state(self) -> str:
        """``healthy``, ``unreachable``, or ``unknown`` (5.1)."""
        state = self._state or self._notes.get(_METADATA_STATE)
        return state if state is not None and self.rows.usable() else "unknown"
