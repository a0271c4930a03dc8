"""`stagebox setup` and `stagebox accounts`, in processes of their own (plugin contract, 6)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from host.testing import database_of


@pytest.fixture
def stagebox(tmp_path):
    """Runs the command over a data directory; returns exit status and both outputs."""

    def run(*arguments, data_dir=None):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("STAGEBOX_")}
        folder = data_dir or tmp_path / "data"
        environment["STAGEBOX_DATA_DIR"] = str(folder)
        environment["STAGEBOX_DATABASE"] = database_of(folder, prepared=True)
        done = subprocess.run(
            [sys.executable, "-m", "host", *arguments],
            capture_output=True,
            text=True,
            timeout=100,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout, done.stderr

    return run


SETUP = ("setup", "--name", "Ann", "--pin", "1234", "--phrase", "blue sky 42")


def test_setup_works_once(stagebox, make_host, tmp_path):
    status, out, err = stagebox(*SETUP)
    assert (status, err) == (0, "")
    assert "Ann" in out
    status, out, err = stagebox(*SETUP)
    assert (status, out) == (1, "")
    assert err.startswith("SETUP_COMPLETE: ")
    host = make_host(data_dir=tmp_path / "data")
    assert host.get("/api/setup/status").json() == {"configured": True, "profiles": 1}
    body = {"profileName": "Ann", "pin": "1234"}
    assert host.post("/api/auth/login", json=body).status == 200
    assert host.get("/api/admin/permission-groups").status == 401


def test_setup_says_what_is_wrong(stagebox):
    status, out, err = stagebox("setup", "--name", " ", "--pin", "12", "--phrase", "x" * 129)
    assert (status, out) == (1, "")
    for words in ("name must have 1 to 64", "pin: must have 4 to 32", "recoveryPhrase: must"):
        assert words in err


def test_unlock_beside_a_running_server(people, stagebox):
    id, _ = people.add("Élodie")
    people.host.patch(f"/api/profiles/{id}", json={"locked": True}, token=people.admin)
    data = people.host.data_dir
    status, out, _ = stagebox("accounts", "list", data_dir=data)
    assert status == 0
    first, second = out.splitlines()
    assert first.split()[:2] == ["1", "Admin"]
    assert "ADMIN, EDIT_TRACKS" in first
    assert "Élodie" in second
    assert "locked by an administrator" in second
    assert "no permissions" in second
    assert stagebox("accounts", "unlock", "ÉLODIE", data_dir=data)[0] == 0
    assert people.login("Élodie").status == 200
    for _ in range(5):
        people.login("Élodie", "x")
    assert "locked until" in stagebox("accounts", "list", data_dir=data)[1]
    assert stagebox("accounts", "unlock", "élodie", data_dir=data)[0] == 0
    assert people.login("Élodie").status == 200


def test_set_pin_beside_a_running_server(people, stagebox):
    _, token = people.add("Bob")
    assert people.alive(token)
    for _ in range(5):
        people.login("Bob", "x")
    data = people.host.data_dir
    status, out, err = stagebox("accounts", "set-pin", "bob", "--pin", "98765", data_dir=data)
    assert (status, err) == (0, "")
    assert "98765" not in out
    assert not people.alive(token)
    assert people.alive(people.admin)
    assert people.login("Bob", "98765").status == 200
    status, _, err = stagebox("accounts", "set-pin", "bob", "--pin", "1", data_dir=data)
    assert status == 1
    assert "pin must have 4 to 32 characters" in err
    assert people.login("Bob", "98765").status == 200


@pytest.mark.parametrize("command", [("unlock",), ("set-pin", "--pin", "1234")])
def test_unknown_names(stagebox, command):
    assert stagebox(*SETUP)[0] == 0
    status, out, err = stagebox("accounts", command[0], "Nobody", *command[1:])
    assert (status, out) == (1, "")
    assert 'There is no profile named "Nobody"' in err
