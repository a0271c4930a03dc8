"""One archive with everything that a host keeps, and the way back."""

from host.backup.archive import Archive
from host.backup.desk import BackupDesk, restore_pending
from host.backup.occupancy import alone, occupied
from host.backup.restoring import Restored, restore
from host.backup.taking import Taken, take_backup

__all__ = [
    "Archive",
    "BackupDesk",
    "Restored",
    "Taken",
    "alone",
    "occupied",
    "restore",
    "restore_pending",
    "take_backup",
]
