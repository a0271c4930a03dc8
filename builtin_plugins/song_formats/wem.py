"""Converts ``.wem`` sound to OGG with programs of the host, if there are any."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, cast

from plugin_sdk import UnreadableSong

__all__ = ["convert_wem", "wem_type"]

MAX_SECONDS: Final = 120.0
MAX_BYTES: Final = 2 * 1024**3
_PIECE: Final = 256 * 1024


def wem_type() -> str | None:
    """The media type that a conversion gives on this machine; None without a program for it.
    vgmstream-cli reads what ffmpeg cannot, but writes WAV only."""
    if shutil.which("ffmpeg"):
        return "audio/ogg"
    return "audio/wav" if shutil.which("vgmstream-cli") else None


def convert_wem(source: Path) -> BinaryIO:
    """The sound as `wem_type` says, in a nameless temporary file that stands at its start. At
    most 120 seconds (songs contract, section 11). Raises UnreadableSong."""
    vgmstream, ffmpeg = shutil.which("vgmstream-cli"), shutil.which("ffmpeg")
    path = os.fspath(source)
    decoded = _run([vgmstream, "-p", path], None) if vgmstream else None
    if not ffmpeg:
        if decoded is None:
            raise UnreadableSong("this sound needs vgmstream-cli or ffmpeg on the host")
        return decoded
    command = [ffmpeg, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe,fd"]
    command += ["-i", "pipe:0", "-vn", "-c:a", "libvorbis", "-f", "ogg", "pipe:1"]
    with decoded if decoded is not None else source.open("rb") as sound:
        return _run(command, sound)


def _run(command: Sequence[str], source: BinaryIO | None) -> BinaryIO:
    """What the program writes. It is stopped when it takes too long or writes too much."""
    target = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  # handed to the caller
    try:
        if not _finished(command, source, target):
            raise UnreadableSong("this sound cannot be converted")
        target.seek(0)
        return target
    except BaseException:
        target.close()
        raise


def _finished(command: Sequence[str], source: BinaryIO | None, target: BinaryIO) -> bool:
    stdin = subprocess.DEVNULL if source is None else source
    with subprocess.Popen(  # noqa: S603  # found by which, no shell, a path that begins with /
        list(command), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        stop = threading.Timer(MAX_SECONDS, process.kill)
        stop.start()
        written = 0
        try:
            assert process.stdout is not None
            while (piece := process.stdout.read(_PIECE)) and written <= MAX_BYTES:
                target.write(piece)
                written += len(piece)
            if written > MAX_BYTES:
                process.kill()
            return process.wait() == 0 and written > 0
        except BaseException:
            process.kill()
            raise
        finally:
            stop.cancel()
            stop.join()
