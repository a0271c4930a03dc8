"""Two processes serve one library: of what many people do with a song at once, nothing is lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

ROUNDS = 6
FIELDS = ("title", "artist", "album", "year")


@pytest.fixture
def pair(serve):
    """Two processes on one data directory."""
    first, second = serve(), serve()
    assert first.command("songs", "fill", "3").returncode == 0
    return first, second


def signed_in(served):
    """The headers of two people's sessions, the first an admin's."""
    first = {"name": "Ann", "pin": "1234", "recoveryPhrase": "the blue sky"}
    assert served.client.post("/api/setup/init", json=first).status_code == 201

    def login(name):
        answer = served.client.post("/api/auth/login", json={"profileName": name, "pin": "1234"})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    ann = login("Ann")
    made = served.client.post("/api/profiles", headers=ann, json={**first, "name": "Bob"})
    assert made.status_code == 201, made.text
    return ann, login("Bob")


def all_at_once(hosts, calls):
    """Each call on a thread of its own, with a client for one host after the other; what they
    return."""
    gate = threading.Barrier(len(calls))

    def run(number, call):
        url = hosts[number % len(hosts)].url
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            gate.wait(120)
            return call(client)

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, range(len(calls)), calls))


def test_nothing_is_lost_between_two_processes(pair):
    people = signed_in(pair[0])
    tracks = [song["trackId"] for song in pair[1].client.get("/api/library").json()["songs"]]
    track = tracks[0]

    def post(path, status, headers, **body):
        def call(client):
            found = []
            for number in range(ROUNDS):
                filled = {key: value(number) for key, value in body.items()}
                answer = client.post(path, headers=headers, json=filled)
                assert answer.status_code == status, answer.text
                found.append(answer.json())
            return found

        return call

    # Scores: two people, two processes, two threads each.
    score = f"/api/tracks/{track}/score"
    calls = [
        post(score, 201, person, score=lambda number, k=k: (37 * number + 11 * k) % 101)
        for k in range(4)
        for person in people
        for _ in pair
    ]
    best = max((37 * number + 11 * k) % 101 for number in range(ROUNDS) for k in range(4))
    answers = all_at_once(pair, calls)
    for which, person in enumerate(people):
        told = [one for number, one in enumerate(answers) if number // 2 % 2 == which]
        counts = sorted(each["playCount"] for one in told for each in one)
        assert counts == list(range(1, 8 * ROUNDS + 1))
        batch = pair[which].client.post(
            "/api/scores/batch", headers=person, json={"trackIds": tracks}
        )
        (kept,) = batch.json().values()
        assert (kept["playCount"], kept["bestScore"]) == (8 * ROUNDS, best)

    # Favourites: answers alternate, so of an even number half say yes; nobody's is another's.
    toggle = "/api/favorites/toggle"
    calls = [post(toggle, 200, people[0], trackId=lambda _: track) for _ in range(4)]
    calls += [post(toggle, 200, people[1], trackId=lambda _: tracks[1]) for _ in range(2)]
    calls.append(lambda client: post(toggle, 200, people[1], trackId=lambda _: track)(client)[:1])
    answers = all_at_once(pair, calls)
    for some in (answers[:4], answers[4:6]):
        said = [each["favorite"] for one in some for each in one]
        assert said.count(True) == said.count(False) == len(said) // 2
    assert pair[1].client.get("/api/library?favorites=1", headers=people[0]).json()["total"] == 0

    # Edits: each thread has a field of its own, and does not undo those of others.
    values = {
        "title": lambda number: f"Title {number}",
        "artist": lambda number: f"Artist {number}",
        "album": lambda number: f"Album {number}",
        "year": lambda number: 1990 + number,
    }
    calls = [
        post(f"/api/tracks/{track}", 200, people[0], **{name: values[name]}) for name in FIELDS
    ]
    all_at_once(pair, calls)
    for served in pair:
        shown = served.client.get(f"/api/tracks/{track}").json()
        assert {name: shown[name] for name in FIELDS} == {
            name: value(ROUNDS - 1) for name, value in values.items()
        }
        assert served.client.get(f"/api/library?q=Title {ROUNDS - 1}").json()["total"] == 1
        assert served.client.get("/api/library/stats").json()["totalSongs"] == 3

    # Loops: names are given once.
    loop = f"/api/tracks/{track}/loops"
    both = {"start_time": lambda number: number, "end_time": lambda number: number + 1}
    all_at_once(pair, [post(loop, 201, people[0], **both) for _ in range(4)])
    names = [each["name"] for each in pair[1].client.get(loop, headers=people[0]).json()]
    assert sorted(names) == sorted(f"Loop {number}" for number in range(1, 4 * ROUNDS + 1))
