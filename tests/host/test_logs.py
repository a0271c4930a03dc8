from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.logs import (
    AccessRecord,
    HostLogs,
    lines,
    log_context,
    log_tail,
    new_incident,
    plugin_id,
    redacted,
    request_id,
)
from host.logs.files import RotatingFile
from host.logs.lines import Line
from host.logs.writer import LogWriter


class Frozen:
    def time(self) -> float:
        return 1_777_636_800.25


def written(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "server.log"


@pytest.fixture
def logs(file: Path):
    host = HostLogs(level="debug", file=file, clock=Frozen())  # type: ignore[arg-type]
    yield host
    host.close()


def test_a_line_says_when_who_and_what(logs: HostLogs, file: Path) -> None:
    with log_context(plugin="songs", request="r-1"):
        logger = logs.logger("web")
        logger.warning("%s is %d", "Élan", 3)
        incident = new_incident()
        try:
            raise KeyError("lost")
        except KeyError:
            logger.exception("It failed.", extra={"incident": incident})
    logs.logger("web").info("outside")
    assert logs.flush()
    first, second, third = written(file)
    assert first == {
        "time": "2026-05-01T12:00:00.250Z",
        "level": "warn",
        "logger": "web",
        "message": "Élan is 3",
        "plugin": "songs",
        "request": "r-1",
    }
    assert second["level"] == "error"
    assert second["incident"] == incident
    assert len(incident) == 12
    assert "KeyError: 'lost'" in second["trace"]
    assert "plugin" not in third
    assert (request_id.get(), plugin_id.get()) == ("", "")


def test_a_plugin_s_lines_name_it_from_any_thread(logs: HostLogs, file: Path) -> None:
    log = logs.plugin_logger("example.soundboard")
    thread = threading.Thread(target=lambda: log.info("from a thread"))
    thread.start()
    thread.join()
    assert logs.plugin_logger("example.soundboard") is log
    logs.flush()
    assert written(file)[0]["plugin"] == "example.soundboard"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("error", ["error"]),
        ("warn", ["error", "warn"]),
        ("info", ["error", "warn", "info"]),
        ("http", ["error", "warn", "info", "http"]),
        ("debug", ["error", "warn", "info", "debug", "http"]),
    ],
)
def test_levels(file: Path, level: str, expected: list[str]) -> None:
    logs = HostLogs(level=level, file=file)
    logger = logs.logger("x")
    for name in ("error", "warning", "info", "debug"):
        getattr(logger, name)("text")
    logs.access(AccessRecord("GET", "/x", 200, 0.25))
    assert logs.access_enabled == ("http" in expected)
    logs.close()
    assert [line["level"] for line in written(file)] == expected


def test_the_file_may_keep_more_than_the_operator_asked_for(file: Path) -> None:
    stream = io.StringIO()
    logs = HostLogs(level="info", file=file, stream=stream)
    logger = logs.logger("x")
    logger.debug("too early")  # and the logger remembers what its level is
    logs.keep("http")
    assert logs.access_enabled
    logs.access(AccessRecord("GET", "/x", 200, 0.25))
    logger.debug("still too much")
    assert logs.flush()
    logs.keep("debug")
    logger.debug("now it counts")
    assert logs.flush()
    logs.keep(None)
    assert not logs.access_enabled
    logger.debug("no more")
    logger.info("for both")
    logs.close()
    messages = [line["message"] for line in written(file)]
    assert messages == ["GET /x 200", "now it counts", "for both"]
    assert "for both" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_the_file_may_keep_less(file: Path) -> None:
    logs = HostLogs(level="debug", file=file)
    logs.keep("warn")
    logs.logger("x").info("less")
    logs.logger("x").warning("more")
    logs.close()
    assert [line["message"] for line in written(file)] == ["more"]


def test_followers_hear_what_they_want_until_they_end_it(file: Path) -> None:
    heard: list[Any] = []
    logs = HostLogs(level="error", file=file)

    def follower(record: Mapping[str, Any]) -> None:
        heard.append(record)
        logs.logger("x").warning("about what was heard")  # which nobody is told of

    end = logs.follow("http", follower)
    logs.logger("realtime").error("of what carries it")
    logs.plugin_logger("realtime").error("of what carries it, too")
    logs.logger("x").debug("too little")
    logs.plugin_logger("songs").info("token=abc")
    logs.access(AccessRecord("GET", "/x", 200, 0.25))
    assert logs.flush()
    end()
    assert not logs.access_enabled
    logs.logger("x").error("afterwards")
    logs.close()
    assert [record["message"] for record in heard] == ["token=<redacted>", "GET /x 200"]
    assert (heard[0]["plugin"], heard[1]["status"]) == ("songs", 200)
    messages = [line["message"] for line in written(file)]
    assert messages == ["of what carries it", "of what carries it, too", "afterwards"]


def test_a_follower_that_fails_is_dropped(file: Path) -> None:
    calls: list[Any] = []
    logs = HostLogs(level="error", file=file)

    def follower(record: Mapping[str, Any]) -> None:
        calls.append(record)
        raise ValueError("it broke")

    end = logs.follow("info", follower)
    logs.logger("x").info("one")
    assert logs.flush()
    logs.logger("x").info("two")
    assert logs.flush()
    end()
    logs.close()
    assert len(calls) == 1
    (line,) = written(file)
    assert "it broke" in line["message"]


def test_a_request_record(logs: HostLogs, file: Path) -> None:
    with log_context(request="r-9"):
        logs.access(AccessRecord("GET", "/x", 404, 0.0125, 17, "127.0.0.1", "songs"))
    logs.flush()
    assert written(file) == [
        {
            "time": "2026-05-01T12:00:00.250Z",
            "level": "http",
            "logger": "access",
            "message": "GET /x 404",
            "plugin": "songs",
            "request": "r-9",
            "method": "GET",
            "path": "/x",
            "status": 404,
            "ms": 12.5,
            "bytes": 17,
            "peer": "127.0.0.1",
        }
    ]


def test_two_hosts_do_not_see_each_other(tmp_path: Path) -> None:
    one, two = HostLogs(file=tmp_path / "1.log"), HostLogs(level="error", file=tmp_path / "2.log")
    one.logger("web").info("first")
    two.logger("web").info("too quiet")
    two.logger("web").error("second")
    one.close()
    two.close()
    assert [line["message"] for line in written(tmp_path / "1.log")] == ["first"]
    assert [line["message"] for line in written(tmp_path / "2.log")] == ["second"]
    assert "web" not in logging.root.manager.loggerDict


def test_text_for_people() -> None:
    stream = io.StringIO()
    logs = HostLogs(level="http", stream=stream, clock=Frozen())  # type: ignore[arg-type]
    with log_context(plugin="songs"):
        logs.logger("web").warning("One\nforged line \x1b[31m \udc80 \x85")
    logs.logger("web").error("Bad", extra={"incident": "abc"}, exc_info=ValueError("x"))
    logs.access(AccessRecord("GET", "/x", 200, 0.0125, 17))
    logs.close()
    assert stream.getvalue() == (
        "2026-05-01T12:00:00.250Z warn  web [songs] One\n"
        "    forged line \\x1b[31m \\udc80 \\x85\n"
        "2026-05-01T12:00:00.250Z error web [incident abc] Bad\n"
        "    ValueError: x\n"
        "2026-05-01T12:00:00.250Z http  access GET /x 200 17 B 12.5 ms\n"
    )


def test_json_on_the_stream() -> None:
    stream = io.StringIO()
    logs = HostLogs(stream=stream, stream_format="json")
    logs.logger("web").info("One\nline\u2028 \udc80")
    logs.close()
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "One\nline\u2028 \udc80"


SECRET = "Xy7-hush.hush_9"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"{{'authorization': 'bearer  {SECRET}'}}",
        f"GET /ws?a=1&token={SECRET}&b=2",
        f"/x?access_token={SECRET}",
        f"Login(token='{SECRET}', expires_at=1)",
        f"?api_key={SECRET}#top",
        f'{{"password": "{SECRET} \\" {SECRET}", "a": 1}}',
        f"{{'newPin': '{SECRET}'}}",
        f'"{{\\"recoveryPhrase\\": \\"{SECRET}\\"}}"',
        f'{{"pin":{SECRET}}}',
        f'truncated {{"secret": "{SECRET} and {SECRET}',
        f"postgresql://box:{SECRET}@db/box",
        f"Cookie: stagebox_session={SECRET}; a=b",
        f"X-API-Key={SECRET}",
    ],
)
def test_secrets_are_cut_out(logs: HostLogs, file: Path, text: str) -> None:
    logs.logger("web").error("%s", text, exc_info=RuntimeError(text))
    logs.access(AccessRecord("GET", text, 200, 0.0))
    logs.flush()
    content = file.read_text()
    assert SECRET not in content
    assert "<redacted>" in content


def test_a_signaling_token_is_cut_out_wherever_it_stands() -> None:
    assert redacted(f"it was local_{'0f' * 20}!") == "it was local_<redacted>!"


@pytest.mark.parametrize(
    "text",
    ["tokens: 3", "the bearer", "key=songs/1", "pinned=4", "http://a:80/x", "session 5", "spin=2"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@given(st.text("token=pBbase_:/'\"{} 0\u0130", max_size=40))
def test_passing_over_lines_misses_nothing(text: str) -> None:
    assert redacted(text) == lines._SECRETS.sub(lines._replacement, text)


@given(st.text(max_size=60))
def test_any_text_survives_as_one_line_of_json(text: str) -> None:
    line = Line(0.0, logging.INFO, "x", text, trace=text)
    encoded = line.as_json()
    encoded.encode("utf-8")
    assert len(encoded.splitlines()) == 1 or "\x85" in text  # what str alone takes for a line end
    assert "\n" not in encoded
    if redacted(text) == text:
        assert json.loads(encoded)["message"] == text
    shown = line.as_text()
    shown.encode("utf-8")
    assert all(part.startswith("    ") for part in shown.split("\n")[1:])


def test_arguments_that_do_not_fit_lose_no_line(logs: HostLogs, file: Path) -> None:
    logs.logger("x").info("%d", "many")
    logs.flush()
    assert "cannot be formatted" in written(file)[0]["message"]


def test_long_messages_and_traces_are_cut(logs: HostLogs, file: Path) -> None:
    logs.logger("x").error("a" * 100_000, exc_info=ValueError("b" * 500_000))
    logs.flush()
    (line,) = written(file)
    assert len(line["message"]) < 20_000
    assert len(line["trace"]) < 70_000


def test_the_file_rotates_and_loses_nothing(file: Path) -> None:
    logs = HostLogs(file=file, max_bytes=2000, backups=20)
    for number in range(100):
        logs.logger("x").info("line %d", number)
        logs.flush()
    logs.close()
    files = sorted(file.parent.iterdir(), key=lambda each: each.stat().st_mtime_ns)
    assert len(files) > 2
    assert all(each.stat().st_size <= 2000 for each in files)
    lines = [
        line["message"]
        for each in reversed(range(1, len(files)))
        for line in written(file.with_name(f"server.log.{each}"))
    ] + [line["message"] for line in written(file)]
    assert lines == [f"line {number}" for number in range(100)]


def test_no_more_than_the_backups_are_kept(tmp_path: Path) -> None:
    rotating = RotatingFile(tmp_path / "a", 10, 2)
    for number in range(6):
        rotating.write(f"{number} 45678\n".encode())
    rotating.close()
    names = {each.name: each.read_text()[0] for each in tmp_path.iterdir()}
    assert names == {"a": "5", "a.1": "4", "a.2": "3"}


def test_two_processes_may_write_to_one_file(tmp_path: Path) -> None:
    one, two = (RotatingFile(tmp_path / "a", 100, 50) for _ in range(2))
    for number in range(60):
        (one if number % 2 else two).write(f"{number:03d} 456789 123456789\n".encode())
    one.close()
    two.close()
    text = "".join(each.read_text() for each in tmp_path.iterdir())
    assert sorted(line[:3] for line in text.splitlines()) == [f"{n:03d}" for n in range(60)]


def test_the_file_is_the_owner_s_and_may_be_taken_away(file: Path, logs: HostLogs) -> None:
    logs.logger("x").info("one")
    logs.flush()
    assert file.stat().st_mode & 0o777 == 0o600
    file.unlink()
    logs.logger("x").info("two")
    logs.flush()
    assert [line["message"] for line in written(file)] == ["two"]


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    stream = io.StringIO()
    logs = HostLogs(file=tmp_path, stream=stream)  # a folder
    logs.logger("x").info("one")
    logs.flush()
    logs.logger("x").info("two")
    logs.close()
    assert stream.getvalue().count("cannot be written") == 1
    assert "two" in stream.getvalue()


def test_a_closed_stream_harms_nobody(file: Path) -> None:
    stream = io.StringIO()
    stream.close()
    logs = HostLogs(file=file, stream=stream)
    logs.logger("x").info("one")
    logs.close()
    assert [line["message"] for line in written(file)] == ["one"]


class Stuck(io.StringIO):
    """A stream whose reader has gone to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.go.wait(30)
        return super().write(text)


def test_what_waits_is_bounded_and_the_loss_is_told() -> None:
    stream = Stuck()
    writer = LogWriter(None, stream, logging.INFO, as_json=True)

    def put(level: int, count: int) -> None:
        for _ in range(count):
            writer.put(Line(0.0, level, "x", "m" * 10_000))

    writer.put(Line(0.0, logging.ERROR, "x", "the first"))
    assert stream.entered.wait(30)
    put(logging.INFO, 2000)  # 20 MB
    lost = writer.dropped
    assert 1000 < lost < 1500
    assert writer.flush(0.01) is False
    put(logging.WARNING, 100)  # there is still room for what matters
    assert writer.dropped == lost
    put(logging.WARNING, 2000)
    assert writer.dropped > lost
    stream.go.set()
    assert writer.flush(30)
    writer.close(30)
    lines = stream.getvalue().splitlines()
    assert f"{writer.dropped} log lines were dropped" in lines[-1]
    assert len(lines) == 1 + 2000 + 2100 - writer.dropped + 1


def test_many_threads_lose_no_line(file: Path) -> None:
    logs = HostLogs(file=file)

    def work(name: int) -> None:
        for number in range(200):
            logs.logger("x").info("%d %d", name, number)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logs.close()
    lines = [line["message"] for line in written(file)]
    assert len(lines) == 800
    for name in range(4):
        own = [line for line in lines if line.startswith(f"{name} ")]
        assert own == [f"{name} {number}" for number in range(200)]


def test_close_writes_what_waits_and_ends_the_thread(file: Path) -> None:
    logs = HostLogs(file=file)
    before = threading.active_count()
    logs.logger("x").info("last")
    assert threading.active_count() == before + 1
    logs.close()
    assert threading.active_count() == before
    logs.logger("x").info("too late")
    logs.close()
    assert [line["message"] for line in written(file)] == ["last"]


def test_a_silent_host_makes_no_file(file: Path) -> None:
    HostLogs(file=file).close()
    assert not file.parent.exists()


def test_a_library_s_log_is_taken_in_until_the_end(file: Path) -> None:
    library = logging.getLogger("stagebox_test_library.part")
    parent = logging.getLogger("stagebox_test_library")
    logs = HostLogs(file=file)
    logs.adopt("stagebox_test_library")
    library.warning("heard")
    library.info("not asked for")
    logs.close()
    assert [line["message"] for line in written(file)] == ["heard"]
    assert (parent.handlers, parent.propagate, parent.level) == ([], True, 0)


def test_further_handlers_hear_the_same(file: Path) -> None:
    records: list[logging.LogRecord] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logs = HostLogs(file=file, handlers=[Collect()])
    logs.logger("x").info("both")
    logs.close()
    assert [record.getMessage() for record in records] == ["both"]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(0, b""), (3, b""), (4, b"cc\n"), (3 + 1, b"cc\n"), (5, b"cc\n"), (7, b"bbb\ncc\n"),
     (100, b"aaaa\nbbb\ncc\n"), (12, b"aaaa\nbbb\ncc\n"), (11, b"bbb\ncc\n")],
)  # fmt: skip
def test_the_tail_begins_with_a_whole_line(tmp_path: Path, limit: int, expected: bytes) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"aaaa\nbbb\ncc\n")
    if limit == 3:
        expected = b"cc\n"  # a line begins exactly there
    assert b"".join(log_tail(file, limit)) == expected


def test_the_tail_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert list(log_tail(tmp_path / "none", 100)) == []


def test_the_tail_of_a_long_line_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    assert b"".join(log_tail(tmp_path / "a", 100)) == b""
    (tmp_path / "a").write_bytes(b"x" * 200_000 + b"\n" + b"y" * 150_000)
    assert b"".join(log_tail(tmp_path / "a", 160_000)) == b"y" * 150_000
