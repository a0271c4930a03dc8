"""A Datasette plugin with the route of the benchmarks' plugin."""

from __future__ import annotations

from typing import Any

from datasette import Response, hookimpl  # type: ignore[import-not-found]

HELLO = {"hello": "world", "number": 42, "list": [1, 2, 3], "ok": True}


async def hello(request: Any) -> Any:
    return Response.json(HELLO)


@hookimpl  # type: ignore[untyped-decorator]
def register_routes() -> list[Any]:
    return [(r"^/hello$", hello)]
