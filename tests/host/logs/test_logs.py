"""What a log line says, who gets it, and what is cut out of it."""

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
    new_incident,
    plugin_id,
    redacted,
    request_id,
)
from host.logs.lines import AccessLine, Line

from .conftest import Frozen, written


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


@pytest.mark.parametrize(
    "path",
    ["/x", '/a","method":"b', "/é\u2028\udc80", "/p?token=abc", "/" + "long" * 8000, "/\n\x00"],
)
@pytest.mark.parametrize("plugin", ["songs", ""])
def test_the_quick_way_to_write_a_request_says_the_same(path: str, plugin: str) -> None:
    record = AccessRecord("GET", path, 200, 0.0125, 17, "127.0.0.1", plugin, "r-9")
    line = AccessLine(1_790_000_000.5, record, plugin, "r-9")
    assert line.as_json() == line.line().as_json()
    assert json.loads(line.as_json()) == line.document()


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


@pytest.mark.parametrize("after", ["\n", " "])
def test_a_secret_whose_name_was_cut_away_goes_with_it(
    logs: HostLogs, file: Path, after: str
) -> None:
    text = "x" * 100_000 + "token=" + "s3cret" * 2000 + after + "y" * 25_000
    try:
        raise ValueError(text)
    except ValueError:
        logs.logger("x").exception("It failed.")
    logs.flush()
    trace = json.loads(file.read_text())["trace"]
    assert "s3cret" not in trace
    assert trace.endswith("y" * 25_000)


def test_long_messages_and_traces_are_cut(logs: HostLogs, file: Path) -> None:
    logs.logger("x").error("a" * 100_000, exc_info=ValueError("b" * 500_000))
    logs.flush()
    (line,) = written(file)
    assert len(line["message"]) < 20_000
    assert len(line["trace"]) < 70_000


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
