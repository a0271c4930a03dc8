"""What was answered survives the death of the process, and what was not leaves nothing behind."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from pathlib import Path

from builtin_plugins.local_storage.provider import LocalStorage
from host.testing import open_engine
from plugin_sdk.testing import FakeClock

WRITER = """
    import io, itertools, logging, sys
    from pathlib import Path

    from builtin_plugins.local_storage.index import create_index
    from builtin_plugins.local_storage.provider import LocalStorage
    from host.testing import open_engine
    from plugin_sdk import Migration
    from plugin_sdk.testing import FakeClock

    folder = Path(sys.argv[1])
    database = open_engine(folder).open("local_storage")
    database.migrate([Migration("0001-index-of-keys", create_index)])
    storage = LocalStorage(folder / "files", database, FakeClock(), logging.getLogger("test"))
    storage.recover()
    for number in itertools.count():
        key = f"key/{number % 20:02}"
        storage.put(key, io.BytesIO(f"{number}".encode() * 20_000), "a/b")
        print(key, number, flush=True)
"""


def test_what_was_stored_survives_a_kill(tmp_path: Path) -> None:
    answered: dict[str, int] = {}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as writer:
        assert writer.stdout is not None
        for _ in range(30):
            key, number = writer.stdout.readline().split()
            answered[key] = int(number)
        writer.kill()
        for line in writer.stdout:
            if line.endswith("\n"):
                key, number = line.split()
                answered[key] = int(number)

    engine = open_engine(tmp_path)
    try:
        storage = LocalStorage(
            tmp_path / "files",
            engine.open("local_storage"),
            FakeClock(),
            logging.getLogger("test"),
        )
        storage.recover()
        assert list((tmp_path / "files" / "incoming").iterdir()) == []
        assert {info.key for info in storage.list()} >= set(answered)
        for key, number in answered.items():
            with storage.open(key) as stream:
                content = stream.read()
            # A newer one may have been stored without the answer being seen.
            newer = {f"{later}".encode() * 20_000 for later in (number, number + 20)}
            assert content in newer, f"{key} holds neither the answered content nor a later one"
    finally:
        engine.close()
