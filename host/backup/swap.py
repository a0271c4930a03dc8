"""New data in place of old ones, all or nothing, whatever crashes.

The new data are built in ``<data-dir>/.restore/new``. A mark beside them decides: without it a
crash leaves the old data as they are, and the rest is swept away; with it the exchange is finished
at the next start. The exchange is a few renames within one file system; the old data wait in
``.restore/old`` until all is done, and go back if a rename fails.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from host.disk import sync
from plugin_sdk import Unavailable

__all__ = ["begin", "clear", "commit", "is_left", "recover", "sync_tree"]

_FOLDER: Final = ".restore"
_MARK: Final = "complete"
_ITEMS: Final = ("host.db", "host.db-wal", "host.db-shm", "host.db-journal", "plugins")
"""Everything that a restore replaces; stagebox.toml, logs and temporary files stay."""


def begin(data_dir: Path) -> Path:
    """An empty folder, in which the new data are built."""
    clear(data_dir)
    new = data_dir / _FOLDER / "new"
    new.mkdir(parents=True, mode=0o700)
    return new


def commit(data_dir: Path) -> None:
    """Exchanges old and new. Raises Unavailable when that fails; then all is as before."""
    folder = data_dir / _FOLDER
    sync_tree(folder / "new")
    (folder / "old").mkdir()
    part = folder / f"{_MARK}.part"
    part.write_text("\n".join(path.name for path in (folder / "new").iterdir()), encoding="utf-8")
    sync(part)
    part.rename(folder / _MARK)
    sync(folder)
    sync(data_dir)
    try:
        _exchange(data_dir)
    except OSError as error:
        _undo(data_dir)
        raise Unavailable(
            f"The restored data could not be put in place ({error.strerror}); nothing was changed."
        ) from error
    clear(data_dir)


def is_left(data_dir: Path) -> bool:
    """Whether a restore is under way, or was cut short."""
    return (data_dir / _FOLDER).is_dir()


def recover(data_dir: Path) -> None:
    """After a crash: finishes what was decided, sweeps away what was not."""
    if (data_dir / _FOLDER / _MARK).exists():
        _exchange(data_dir)
    clear(data_dir)


def clear(data_dir: Path) -> None:
    """Removes the old data, or new ones that were never put in place. The mark goes last: while
    it stands, what lies in ``new`` still has to be moved."""
    folder = data_dir / _FOLDER
    if not folder.is_dir():
        return
    if (folder / _MARK).exists():
        shutil.rmtree(folder / "new", ignore_errors=True)  # moved away, but for the folder itself
        (folder / _MARK).unlink()
        sync(folder)
    shutil.rmtree(folder)


def _exchange(data_dir: Path) -> None:
    """Can be repeated: what is done already is passed over."""
    folder = data_dir / _FOLDER
    planned = (folder / _MARK).read_text(encoding="utf-8").split("\n")
    for item in _ITEMS:
        live, old, new = data_dir / item, folder / "old" / item, folder / "new" / item
        moved = item in planned and not new.exists()
        if not moved and live.exists() and not old.exists():
            live.rename(old)
        if new.exists():
            new.rename(live)
        for touched in (folder / "old", folder / "new", data_dir):
            sync(touched)


def _undo(data_dir: Path) -> None:
    folder = data_dir / _FOLDER
    planned = (folder / _MARK).read_text(encoding="utf-8").split("\n")
    for item in reversed(_ITEMS):
        live, old, new = data_dir / item, folder / "old" / item, folder / "new" / item
        if item in planned and not new.exists():
            live.rename(new)
        if old.exists():
            old.rename(live)
    sync(data_dir)
    (folder / _MARK).unlink()
    sync(folder)


def sync_tree(folder: Path) -> None:
    """Everything below to the disk."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            sync(path)
    sync(folder)
