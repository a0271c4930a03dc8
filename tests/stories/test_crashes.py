"""What a crash of the process costs, and what it must not cost."""

from __future__ import annotations

import os
import threading

GOOD = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": "world"}
"""

KILLER = """
    import os
    from plugin_sdk import Plugin

    class plugin(Plugin):
        def enable(self):
            os._exit(7)
"""

WRITER = """
    from plugin_sdk import Plugin, job, route

    class plugin(Plugin):
        @route("POST", "/rows", access="open")
        def add(self, request):
            number = request.json()
            self.context.data.set(f"row-{number}", number)
            return number

        @route("GET", "/rows", access="open")
        def rows(self, request):
            return [value for _, value in self.context.data.items("row-")]

        @route("POST", "/jobs", access="open")
        def begin(self, request):
            return self.context.jobs.start("count").id

        @route("GET", "/jobs/{id}", access="open")
        def look(self, request):
            info = self.context.jobs.get(request.params["id"])
            return {"state": info.state, "result": info.result, "attempt": info.attempt,
                    "done": info.done}

        @job("count")
        def count(self, run):
            done = run.saved or 0
            while done < 80:
                done += 1
                run.save(done)
                run.progress(done, 80)
                while done == 40 and run.attempt == 1 and run.sleep(0.02):  # until it is killed
                    run.progress(done, 80)
                if not run.sleep(0.005):
                    return None
            return {"counted": done, "attempt": run.attempt}
"""


def test_a_plugin_that_kills_the_process_costs_one_crash(serve, write_plugin, wait_until, tmp_path):
    plugins = tmp_path / "served" / "plugins"
    write_plugin("good", GOOD, into=plugins)
    write_plugin("killer", KILLER, into=plugins)
    served = serve()
    assert served.command("plugin", "enable", "good").returncode == 0
    served.stop()
    served.command("plugin", "enable", "killer")  # the command itself dies of it
    served.start().up("/api/plugins/good/hello")
    wait_until(lambda: served.client.get("/api/plugins/killer").json()["state"] != "disabled")
    entry = served.client.get("/api/plugins/killer").json()
    assert entry["state"] == "quarantined"  # the first start with it must have died
    assert entry["error"]["code"] == "CRASHED_HOST"
    assert served.client.get("/api/plugins/good/hello").status_code == 200
    assert served.client.get("/api/health").status_code == 200
    served.stop()


def test_safe_mode_starts_without_any_third_party_code(serve, write_plugin, tmp_path):
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w').close()\n" + "import os; os._exit(1)"
    write_plugin("killer", code, into=tmp_path / "served" / "plugins")
    served = serve()
    served.stop()
    assert not mark.exists()
    served.command("plugin", "enable", "killer")
    mark.unlink(missing_ok=True)
    served.options = ("--safe-mode",)
    served.start()
    ids = [entry["id"] for entry in served.client.get("/api/plugins").json()]
    assert "killer" not in ids
    assert "plugin_admin" in ids
    assert not mark.exists()
    served.stop()


def test_what_was_answered_with_success_survives_kill_9(serve, write_plugin, wait_until, tmp_path):
    write_plugin("writer", WRITER, into=tmp_path / "served" / "plugins")
    served = serve()
    assert served.command("plugin", "enable", "writer").returncode == 0
    answered: list[int] = []
    numbers = iter(range(100_000))
    stop = threading.Event()
    lock = threading.Lock()

    def write() -> None:
        while not stop.is_set():
            with lock:
                number = next(numbers)
            try:
                reply = served.client.post("/api/plugins/writer/rows", json=number)
            except Exception:  # the server was killed under this request
                return
            if reply.status_code == 200:
                answered.append(number)

    clients = [threading.Thread(target=write) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        while len(answered) < 200:
            assert any(client.is_alive() for client in clients)
        job_id = served.client.post("/api/plugins/writer/jobs").json()
        job = f"/api/plugins/writer/jobs/{job_id}"
        wait_until(lambda: served.client.get(job).json()["done"] == 40)
    finally:
        served.kill()
        stop.set()
        for client in clients:
            client.join()
    served.start().up("/api/plugins/writer/rows")
    kept = set(served.client.get("/api/plugins/writer/rows").json())
    assert set(answered) <= kept
    wait_until(lambda: served.client.get(job).json()["state"] not in ("queued", "running"), 60)
    info = served.client.get(job).json()
    assert info["state"] == "succeeded"
    assert info["result"]["counted"] == 80
    assert info["result"]["attempt"] >= 2
    served.stop()


def test_sigterm_finishes_what_is_in_flight(serve, write_plugin, tmp_path):
    code = """
        import threading
        from plugin_sdk import Plugin, route
        class plugin(Plugin):
            @route("GET", "/slow", access="open")
            def slow(self, request):
                self.context.data.set("began", True)
                threading.Event().wait(1.0)
                return "finished"
            @route("GET", "/began", access="open")
            def began(self, request):
                return self.context.data.get("began", False)
    """
    write_plugin("slow", code, into=tmp_path / "served" / "plugins")
    served = serve()
    served.command("plugin", "enable", "slow")
    replies = []

    def ask() -> None:
        replies.append(served.client.get("/api/plugins/slow/slow"))

    client = threading.Thread(target=ask)
    client.start()
    while not served.client.get("/api/plugins/slow/began").json():
        pass
    os.kill(served.process.pid, 15)
    client.join()
    assert served.stop() == 0
    assert [reply.json() for reply in replies] == ["finished"]
