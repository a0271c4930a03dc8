"""What an author's type checker says, part of `make check`: mypy and pyright, both strict.

* Nothing public in the SDK is left for a checker to guess (``--verifytypes`` at 100 %).
* The examples, and the project that ``stagebox plugin new`` writes with its tests, have no error.

The examples' own tests are left out: their fixtures are not annotated, which is pytest's manner.
pyright comes as basedpyright, which brings its Node.js as a wheel; the rules are pyright's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from host.authoring.scaffold import scaffold
from tests.docs.pages import ROOT

__all__ = ["main"]

_EXAMPLES: Final = sorted(file.parent for file in ROOT.glob("examples/*/*/plugin.json"))


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="stagebox-typed-") as place:
        scaffold("ada.notes", Path(place) / "notes")
        config = Path(place) / "pyrightconfig.json"
        config.write_text(json.dumps(_pyright(Path(place) / "notes")), encoding="utf-8")
        written = sorted(str(file) for file in (Path(place) / "notes").rglob("*.py"))
        sources = [*map(str, _EXAMPLES), *written]
        failed = [
            _run(["basedpyright", "--verifytypes", "plugin_sdk", "--ignoreexternal"], quiet=True),
            _run(["basedpyright", "--project", str(config)]),
            _run(["mypy", "--strict", *sources], MYPYPATH=str(Path(place) / "notes")),
        ]
    return 1 if any(failed) else 0


def _pyright(written: Path) -> dict[str, object]:
    return {
        "include": [str(written), *map(str, _EXAMPLES)],
        "extraPaths": [str(ROOT), *(str(each.parent) for each in _EXAMPLES)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
    }


def _run(command: Sequence[str], *, quiet: bool = False, **env: str) -> int:
    """Says what the checker said: ``quiet`` is for one that lists all that it found right."""
    folder = Path(sys.executable).parent
    # First in PATH: what the checkers know of packages, they ask the first python there.
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [str(folder / command[0]), *command[1:]], cwd=ROOT,
        env={**os.environ, "PATH": path, **env}, text=True, capture_output=True, check=False,
    )  # fmt: skip
    said = (done.stdout + done.stderr).strip()
    if quiet and not done.returncode:
        said = next(line for line in said.splitlines() if "completeness" in line)
    print(f"{' '.join(command[:2])}: {said}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
