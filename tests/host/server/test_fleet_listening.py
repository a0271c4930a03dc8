"""Whether a worker still listens: asked of the kernel, for its own sockets alone."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from host.cli.fleet import _listens

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells only on Linux")


def test_a_socket_of_this_process_is_known_while_it_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert _listens(port)
    assert not _listens(port)


def test_one_of_another_process_does_not_count() -> None:
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0));"
        "print(s.getsockname()[1], flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert not _listens(port)
        other.communicate("\n")
