"""One archive with everything that a host keeps, and the way back."""

from host.backup.archive import Archive
from host.backup.occupancy import alone, occupied
from host.backup.restoring import Restored, restore
from host.backup.taking import Taken, take_backup

__all__ = ["Archive", "Restored", "Taken", "alone", "occupied", "restore", "take_backup"]
