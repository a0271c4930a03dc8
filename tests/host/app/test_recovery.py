"""What a dead process left: told and done by one that lives."""

from __future__ import annotations

import json

from plugin_sdk import Event, JobRun, Plugin, Request, event_handler, job, route


class Keeper(Plugin):
    """Emits, hears, and has a job."""

    @route("POST", "/emit", access="open")
    def emit(self, request: Request) -> None:
        self.context.events.emit("keeper.done", {"n": 0})

    @event_handler("keeper.done")
    def heard(self, event: Event) -> None:
        with self.context.data.transaction():
            self.context.data.set("heard", [*self.context.data.get("heard", []), event.data["n"]])

    @job("walk")
    def walk(self, run: JobRun) -> int:
        return run.attempt


def heard(host):
    return host.plugin("keeper").context.data.get("heard", [])


def dies(host, name):
    """A process of that name that was there, and is no more."""
    row = {"id": name, "machine": "another", "process": "1 1", "expires_at": 0}
    host.host.database.table("_stagebox_job_owners").insert(row)


def test_events_of_a_dead_process_are_told(make_host, wait_until):
    a = make_host(Keeper)
    b = make_host(Keeper)
    assert a.post("/api/plugins/keeper/emit").status == 204
    wait_until(lambda: heard(a) == [0])
    table = b.host.engine.open("keeper").table("_stagebox_outbox")
    for number in (1, 2, 3):
        row = {"owner": "dead", "position": number, "event_id": f"e{number}", "at": 1}
        table.insert({**row, "name": "keeper.done", "data": json.dumps({"n": number})})
    dies(a, "dead")
    wait_until(lambda: len(heard(a)) >= 4)
    assert heard(a) == [0, 1, 2, 3]  # in their order, and by one process
    wait_until(lambda: table.count_where() == 0)


class Listener(Plugin):
    """Starts after the host, and wants to hear what the host says."""

    @event_handler("host.provider_changed")
    def heard(self, event: Event) -> None:
        self.context.data.set("heard", event.data["name"])


def test_what_was_left_at_the_last_end_is_told_when_all_have_started(make_host, wait_until):
    first = make_host(Listener)
    first.host._emit("host.provider_changed", {"type": "x", "name": "first"})
    wait_until(lambda: first.plugin("listener").context.data.get("heard") == "first")
    table = first.host.database.table("_stagebox_outbox")
    row = {"owner": "dead", "position": 1, "event_id": "e1", "at": 1}
    data = json.dumps({"type": "x", "name": "second"})
    table.insert({**row, "name": "host.provider_changed", "data": data})
    first.restart()
    wait_until(lambda: first.plugin("listener").context.data.get("heard") == "second")


def test_jobs_of_a_dead_process_are_done(make_host, wait_until):
    a = make_host(Keeper)
    jobs = a.plugin("keeper").context.jobs
    first = jobs.start("walk").id
    assert jobs.wait(first, 60).result == 1
    changes = {"state": "running", "owner": "dead", "result": None, "finished_at": None}
    a.host.database.table("_stagebox_jobs").update(
        a.host.database.value("SELECT number FROM _stagebox_jobs WHERE id = :id", {"id": first}),
        changes,
    )
    dies(a, "dead")
    wait_until(lambda: jobs.get(first).state == "succeeded" and jobs.get(first).result == 2)
