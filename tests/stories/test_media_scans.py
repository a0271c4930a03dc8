"""A scan that is killed, and a scan by command (media contract, 7.2, 11)."""

from __future__ import annotations

import json
from collections import Counter

from tests import on_disk

tmp_path = on_disk.tmp_path

PROVIDER = """
    import time
    from pathlib import Path
    from plugin_sdk import MediaMetadata, MetadataProvider, Plugin, Provider

    class Slow(MetadataProvider):
        name = display_name = "slow"
        source = "OTHER"
        kinds = frozenset({"movie"})

        def fetch(self, query):
            asked, go_on = Path(self.config["asked"]), Path(self.config["goOn"])
            while asked.exists() and asked.stat().st_size > 160 and not go_on.exists():
                time.sleep(0.01)  # after twenty of them
            with asked.open("a") as file:
                file.write(query.title + "\\n")
            time.sleep(0.03)
            return MediaMetadata({"OTHER": query.title}, query.title)

    class plugin(Plugin):
        def providers(self):
            return [Provider("metadata", "slow", Slow)]
"""
FILMS = [f"Film {place:02}" for place in range(40)]


def _plant(root):
    for name in FILMS:
        folder = root / f"{name} (2001)"
        folder.mkdir(parents=True)
        (folder / f"{name} (2001).mkv").write_bytes(b"x")
    return root


def test_a_scan_survives_kill_9(serve, write_plugin, wait_until, tmp_path):
    root, asked = _plant(tmp_path / "films"), tmp_path / "asked"
    go_on = tmp_path / "go-on"
    declared = [{"type": "metadata", "name": "slow"}]
    write_plugin("slow", PROVIDER, into=tmp_path / "served" / "plugins", providers=declared)
    served = serve()
    assert served.command("plugin", "enable", "slow").returncode == 0
    row = {"name": "slow", "config": {"asked": str(asked), "goOn": str(go_on)}}
    assert served.client.post("/api/v1/settings/providers", json=row).status_code == 200
    wait_until(
        lambda: served.client.get("/api/v1/settings/providers").json()["data"][0]["available"]
    )
    answer = served.client.post("/api/v1/scan/path", json={"path": str(root)})
    address = f"/api/v1/scan/job/{answer.json()['data']['jobId']}"

    def job():
        return served.client.get(address).json()["data"]

    wait_until(lambda: job()["progress"]["processedFolders"] >= 5)
    served.kill()
    before = Counter(asked.read_text().split("\n")[:-1])
    assert len(before) < len(FILMS)
    go_on.touch()
    served.start()
    kept = job()["progress"]["processedFolders"]
    assert kept >= 5
    wait_until(lambda: job()["status"] == "COMPLETED", 60)
    after = job()
    assert (after["itemsSaved"], after["progress"]["processedFolders"]) == (40, 40)
    assert after["metadataSuccessCount"] == 40
    counts = Counter(asked.read_text().split("\n")[:-1])
    assert sorted(counts) == FILMS
    # What was stored was not asked for again: at most the answer that was on its way was lost.
    twice = [name for name, count in counts.items() if count > 1]
    assert twice in ([], [sorted(before)[-1]])
    found = served.client.get("/api/v1/library/stats").json()["data"]
    assert found["totalMedia"] == 40
    served.stop()


def test_scanning_by_command(serve, tmp_path):
    root = _plant(tmp_path / "films")
    served = serve()
    beside = served.command("media", "scan", str(root), "--type", "movie", "--name", "Films")
    assert beside.returncode == 0, beside.stderr
    job = json.loads(beside.stdout)
    assert (job["status"], job["itemsSaved"], job["library"]["name"]) == ("COMPLETED", 40, "Films")
    assert served.command("media", "scan", "/etc", "--type", "movie").returncode == 2
    served.stop()
    alone = served.command("media", "scan", str(root), "--type", "movie", "--rescan")
    assert alone.returncode == 0, alone.stderr
    assert json.loads(alone.stdout)["status"] == "COMPLETED"
    for path in list(root.rglob("*.mkv")):
        path.unlink()
        path.parent.rmdir()
    failed = served.command("media", "scan", str(root), "--type", "movie")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["status"] == "FAILED"
    queued = served.command("media", "scan", str(root), "--type", "tv", "--no-wait")
    assert queued.returncode == 0
    assert json.loads(queued.stdout)["status"] == "PENDING"
