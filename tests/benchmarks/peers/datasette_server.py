"""Datasette with its own server, without that one's access log: ``datasette_server FILE PORT``.

Run by the interpreter of Datasette's environment; ``datasette serve`` would do the same and write
a line for each request, which the other side of the comparison does not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn  # type: ignore[import-not-found]
from datasette.app import Datasette  # type: ignore[import-not-found]

if __name__ == "__main__":
    file, port = sys.argv[1:]
    plugins = Path(__file__).parent / "datasette_plugins"
    datasette = Datasette([file], plugins_dir=str(plugins))
    uvicorn.run(
        datasette.app(), host="127.0.0.1", port=int(port), log_level="warning", lifespan="on"
    )
