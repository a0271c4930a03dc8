"""pip, as a program: our interpreter's own, with nobody to ask."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from plugin_sdk import Invalid

__all__ = ["last_words", "run_pip"]

_SECONDS: Final = 600
_LAST_LINES: Final = 15
_PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


def run_pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Whatever its status; `last_words` tells why. Raises Invalid after ten minutes."""
    try:
        return subprocess.run(  # noqa: S603  # our own interpreter, no shell
            [*_PIP, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Invalid(
            f"`pip {arguments[0]}` did not end within {_SECONDS} seconds and was stopped."
        ) from None


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The last lines that it wrote, to either stream."""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return "\n".join(lines[-_LAST_LINES:])
