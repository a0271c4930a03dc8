"""A scan by command (media contract, 11)."""

from __future__ import annotations

import json

from tests import on_disk

tmp_path = on_disk.tmp_path

FILMS = [f"Film {place:02}" for place in range(40)]


def _plant(root):
    for name in FILMS:
        folder = root / f"{name} (2001)"
        folder.mkdir(parents=True)
        (folder / f"{name} (2001).mkv").write_bytes(b"x")
    return root


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
