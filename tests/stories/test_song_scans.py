"""A full run that is killed brings back nothing that was deleted meanwhile (songs, 4.3)."""

from __future__ import annotations

from plugin_sdk.testing import FakeSongFormat

READER = """
    import time
    from pathlib import Path
    from plugin_sdk import Plugin, Provider
    from plugin_sdk.testing import FakeSongFormat

    class Slow(FakeSongFormat):
        name = "slow"
        suffixes = frozenset({".slow"})

        def metadata(self, source):
            read, wait = (source.root.parent / name for name in ("read", "wait"))
            with read.open("a") as file:
                file.write(source.path.stem + "\\n")
            while wait.exists() and read.read_text().count("\\n") > 1:
                time.sleep(0.01)  # at the second song
            return super().metadata(source)

        def __reduce__(self):
            raise TypeError("songs are read in the host's process")

    class plugin(Plugin):
        def providers(self):
            return [Provider("song_format", "slow", Slow())]
"""


def test_what_is_deleted_while_a_full_run_is_killed(serve, write_plugin, wait_until, tmp_path):
    folder, wait, read = (tmp_path / name for name in ("songs", "wait", "read"))
    for name in ("a", "b", "c"):
        FakeSongFormat.write(folder / f"{name}.slow", title=name)
    declared = [{"type": "song_format", "name": "slow"}]
    write_plugin("slow", READER, into=tmp_path / "served" / "plugins", providers=declared)
    served = serve()

    def songs():
        found = served.client.get("/api/library").json()["songs"]
        return {each["title"]: each["trackId"] for each in found}

    def status():
        return served.client.get("/api/scan-status").json()

    assert served.command("plugin", "enable", "slow").returncode == 0
    settings = {"dlcDir": str(folder)}
    assert served.client.post("/api/settings", json=settings).status_code == 200
    wait_until(lambda: status()["status"] == "complete" and len(songs()) == 3, 60)
    tracks = songs()
    wait.touch()
    read.write_text("")
    assert served.client.post("/api/rescan/full").status_code == 202
    wait_until(lambda: status()["done"] == 1 and read.read_text().count("\n") == 2, 60)
    gone = read.read_text().split()  # one that was written, one that is being read
    for name in gone:
        assert served.client.delete(f"/api/tracks/{tracks[name]}").status_code == 204
    served.kill()
    (left,) = {"a", "b", "c"} - set(gone)
    assert left not in read.read_text()
    wait.unlink()
    served.start()
    # The full run goes on: nothing else reads a song that has not changed.
    wait_until(lambda: left in read.read_text() and status()["status"] == "complete", 60)
    assert list(songs()) == [left]
    for name in gone:
        assert served.client.get(f"/api/tracks/{tracks[name]}").status_code == 404
        assert (folder / f"{name}.slow").exists()
    served.stop()
