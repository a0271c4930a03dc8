"""Virtual environments of peers, kept below ``.bench/`` so that a second run need not install."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["environment"]


def environment(folder: Path, requirements: Sequence[str]) -> Path:
    """The folder with the programs of an environment that holds these requirements; made, with
    the registry that pip is set up for, when it is not there yet. Raises RuntimeError."""
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    mark = folder / ".installed"
    wanted = "\n".join(requirements)
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return programs
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, timeout=120)
    pip: list[str | Path] = [
        programs / "python",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--quiet",
        "install",
    ]
    done = subprocess.run(
        [*pip, *requirements], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        raise RuntimeError(f"{', '.join(requirements)} cannot be installed: {done.stderr[-2000:]}")
    mark.write_text(wanted, encoding="utf-8")
    return programs
