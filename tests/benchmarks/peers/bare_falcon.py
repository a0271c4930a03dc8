"""The handler of the benchmarks' plugin on bare Falcon: ``bare_falcon (waitress|ours) THREADS``.

``waitress`` is the stock server, ``ours`` the host's server class without the host behind it.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping
from typing import Any

import falcon

PATH = "/api/plugins/bench/hello"
HELLO = {"hello": "world", "number": 42, "list": [1, 2, 3], "ok": True}


class Hello:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.media = HELLO


class NoWebSockets:
    """No path is one, so nothing is ever opened."""

    def find(self, path: str) -> None:
        return None

    def open(self, handshake: object) -> None:
        raise AssertionError(handshake)


def make_app() -> falcon.App[Any, Any]:
    app: falcon.App[Any, Any] = falcon.App()
    app.add_route(PATH, Hello())
    return app


def serve_with_waitress(threads: int) -> None:
    import waitress

    server = waitress.create_server(make_app(), listen="127.0.0.1:0", threads=threads)
    print(f"http://127.0.0.1:{server.effective_port}", flush=True)
    server.run()


def serve_with_ours(threads: int) -> None:
    from host.server import Server

    def render_error(
        status: int,
        code: str,
        message: str,
        _path: str,
        headers: Mapping[str, str],
        _head: object,
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        body = json.dumps({"error": code, "message": message}).encode()
        return status, [("Content-Type", "application/json"), *headers.items()], body

    server = Server(
        make_app(),
        listen=["127.0.0.1:0"],
        threads=threads,
        body_limit=lambda _method, _path: 1 << 20,
        render_error=render_error,
        upgrades=NoWebSockets(),  # type: ignore[arg-type]
        log=logging.getLogger("bench"),
    )
    server.start()
    print(f"http://{server.addresses[0]}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    {"waitress": serve_with_waitress, "ours": serve_with_ours}[sys.argv[1]](int(sys.argv[2]))
