"""A large file, whole and in ranges, against nginx."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.load import Load, median_of, press
from tests.benchmarks.processes import Child, MemoryWatch, free_port, wait_until_ready
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "a file of 512 MB through Response.file, against nginx"

_SIZE = 512 * 1024 * 1024
_RANGE = 1024 * 1024
_PATH = "/api/plugins/bench/large"
_RATIO = Aim("ratio", ">=", 0.5)
_CONSTANT = Aim("ours", "<=", 16, "MB")

_NGINX_WAYS = ("sendfile", "buffers")
_NGINX = """
daemon off;
master_process off;
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = /ready {{ return 200; }}
        location = /sendfile {{ alias {file}; sendfile on; tcp_nopush on; }}
        location = /buffers {{ alias {file}; sendfile off; output_buffers 2 256k; }}
    }}
}}
"""


def run(bench: Bench) -> None:
    file = bench.folder / "large.bin"
    with file.open("wb") as target:
        target.truncate(_SIZE)
    _warm(file)
    data_dir = bench.data_dir(bench=True, settings={"bench": {"file": str(file)}})
    host, url = bench.serve(data_dir)
    wait_until_ready(url + "/api/health")
    nginx = _start_nginx(bench, file)
    if nginx is None:
        bench.block.notes.append(
            "nginx is not installed (Debian: apt-get install nginx-light), so nothing is compared."
        )
    else:
        bench.block.notes.append(
            "nginx is asked with sendfile and with buffers of 256 KiB; its better figure counts."
        )
    seconds = bench.seconds(2)
    ways = {
        "the whole file, 1 connection": partial(press, seconds=seconds, connections=1),
        "the whole file, 4 connections": partial(press, seconds=seconds, connections=4),
        "1 MiB ranges at random offsets, 4 connections": partial(
            press, seconds=seconds, connections=4, ranges=(_SIZE, _RANGE)
        ),
    }
    for what, way in ways.items():
        with MemoryWatch(host.pid) as memory:
            found = _measure(bench, way, (host, url), nginx)
        bench.block.rows.append(_throughput(what, found))
        bench.block.rows.append(
            Row(
                f"memory, {what}",
                Figure("growth while streaming", memory.growth, "MB", f"peak {memory.peak:.0f} MB"),
                aim=_CONSTANT,
            )
        )


def _warm(file: Path) -> None:
    """Fills the disk's cache: who is measured first must not do it for the others."""
    with file.open("rb", buffering=0) as source:
        while source.read(_RANGE):
            pass


def _measure(
    bench: Bench,
    way: Callable[..., Load],
    host: tuple[Child, str],
    nginx: tuple[Child, str] | None,
) -> dict[str, list[Load]]:
    child, url = host
    measures = {"ours": partial(way, url + _PATH, server=child)}
    if nginx is not None:
        child, url = nginx
        measures |= {name: partial(way, f"{url}/{name}", server=child) for name in _NGINX_WAYS}
    return bench.interleaved(3, measures)


def _throughput(what: str, found: dict[str, list[Load]]) -> Row:
    """Against the better one of nginx' ways."""
    theirs = [
        _figure(f"nginx, one process, {way}", found[way]) for way in _NGINX_WAYS if way in found
    ]
    best = max(theirs, key=lambda figure: figure.value, default=None)
    return Row(what, _figure("Stagebox", found["ours"]), best, _RATIO)


def _figure(label: str, loads: list[Load]) -> Figure:
    load = median_of(loads)
    more = f"{load.cpu_per_gb:.2f} s of CPU per GB"
    if load.failed:
        more += f", {load.failed} failed"
    return Figure(label, load.bytes_rate / 1e6, "MB/s", more, load.cpu_per_gb)


def _start_nginx(bench: Bench, file: Path) -> tuple[Child, str] | None:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    folder = bench.folder / "nginx"
    folder.mkdir()
    port = free_port()
    # As root nginx would change to a user who may not read the temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    config = _NGINX.format(folder=folder, port=port, file=file, user=user)
    (folder / "nginx.conf").write_text(config, encoding="utf-8")
    child = bench.child(Child([program, "-p", folder, "-c", folder / "nginx.conf"]))
    url = f"http://127.0.0.1:{port}"
    wait_until_ready(url + "/ready")
    return child, url
