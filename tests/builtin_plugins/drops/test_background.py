"""The background: who polls, how often, and what is sent again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builtin_plugins.drops import Drops
from builtin_plugins.drops.documents import Given
from builtin_plugins.drops.rounds import Outcome
from builtin_plugins.drops.sealing import Opener, Recipient, seal_pdu
from builtin_plugins.drops.turns import Turn
from builtin_plugins.drops.wire import Message, wire_text
from host.testing import TestHost
from plugin_sdk import HttpReply
from plugin_sdk.testing import FakeContext, HttpRequest, request

from .conftest import R_PRIV, R_PUB, S_PRIV, S_PUB

BOX = "http://box.example/" + "a" * 43
THEIRS = "http://their.example/" + "b" * 43
DOCUMENT = {
    "identities": [{"alias": "me", "keys": {"private_key": R_PRIV.hex()}, "drops": [BOX]}],
    "contacts": [{"alias": "s", "public_key": S_PUB, "my_identity": R_PUB, "drop_urls": [THEIRS]}],
}
DAY = 86_400.0


@pytest.fixture
def document() -> Any:
    return DOCUMENT


@pytest.fixture
def context(context: FakeContext) -> FakeContext:
    context.settings.update({"acknowledge": True})
    return context


def turn(context: FakeContext, life: str = "first") -> Turn:
    return Turn(context.db, context.clock, "test", lambda: life)


class TestTurns:
    @pytest.fixture
    def two(self, context: FakeContext, plugin: Drops) -> tuple[Turn, Turn]:
        return turn(context), turn(context)

    def test_one_has_it_and_keeps_it(self, context: FakeContext, two: tuple[Turn, Turn]) -> None:
        one, other = two
        for _ in range(20):
            assert one.have()
            assert not other.have()
            context.clock.advance(6)

    def test_it_is_given_up(self, two: tuple[Turn, Turn]) -> None:
        one, other = two
        assert one.have()
        other.give_up()  # it was not the other's to give
        assert not other.have()
        one.give_up()
        assert other.have()
        assert not one.have()

    def test_a_dead_holder_loses_it(self, context: FakeContext, two: tuple[Turn, Turn]) -> None:
        one, other = two
        assert one.have()
        context.clock.advance(14)
        assert not other.have()
        context.clock.advance(2)
        assert other.have()
        assert not one.have()

    def test_nobody_waits_for_those_of_an_earlier_life(
        self, context: FakeContext, plugin: Drops
    ) -> None:
        assert turn(context).have()
        again, beside = (turn(context, "second") for _ in range(2))
        assert again.have()
        assert not beside.have()
        again.give_up()
        assert beside.have()

    def test_a_clock_that_was_set_back(self, context: FakeContext, two: tuple[Turn, Turn]) -> None:
        one, other = two
        assert one.have()
        context.clock.advance(-DAY)
        assert other.have()

    def test_keeping_it_writes_seldom(self, context: FakeContext, two: tuple[Turn, Turn]) -> None:
        one, _ = two
        ends = set()
        for _ in range(60):
            assert one.have()
            ends.add(context.db.value("SELECT expires_at FROM turn WHERE name = 'test'"))
            context.clock.advance(0.5)
        assert len(ends) == 6


def asking(count: int) -> HttpReply:
    """A box with messages that want acknowledgements."""
    numbers = range(1, count + 1)
    return box(*(Message(each, S_PUB, "chat", {"n": each}, f"ack-{each}") for each in numbers))


def box(*messages: Message) -> HttpReply:
    body = b""
    for message in messages:
        pdu = seal_pdu(S_PRIV, bytes.fromhex(R_PUB), wire_text(message))
        body += b"--b\r\nDate: x\r\n\r\n" + pdu + b"\r\n"
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    return HttpReply(200, headers, body + b"--b--\r\n")


class Sent:
    """What arrives in the sender's box; ``status`` is what its server answers."""

    def __init__(self, context: FakeContext) -> None:
        self.status = 200
        self.texts: list[dict[str, Any]] = []
        self.attempts = 0
        self._opener = Opener([Recipient.of(S_PRIV, None)])
        context.http.answer("POST", THEIRS, self)

    def __call__(self, sent: HttpRequest) -> HttpReply:
        self.attempts += 1
        opened = self._opener.open_pdu(sent.content)
        assert opened is not None
        if self.status == 200:
            self.texts.append(json.loads(opened.text))
        return HttpReply(self.status, {}, b"")


class TestAcknowledgements:
    def receive(self, context: FakeContext, plugin: Drops, count: int = 1) -> None:
        context.http.answer("GET", BOX, asking(count))
        assert plugin.get_drop(request("GET", "/drop")).status == 200

    def test_what_is_sent(self, context: FakeContext, plugin: Drops) -> None:
        sent = Sent(context)
        self.receive(context, plugin)
        context.jobs.run_all()
        (text,) = sent.texts
        assert (text["acknowledge_id"], text["drop_payload_type"]) == ("ack-1", "drop")
        assert (text["drop_payload"], text["sender"]) == ("{}", R_PUB)
        context.clock.advance(DAY)
        plugin._acknowledgements.start()
        context.jobs.run_all()
        assert sent.attempts == 1

    def test_any_text_is_given_back(self, context: FakeContext, plugin: Drops) -> None:
        sent = Sent(context)
        message = Message(1, S_PUB, "a\0b", {"n": 1}, 'a\0"\\ü')
        context.http.answer("GET", BOX, box(message))
        assert plugin.get_drop(request("GET", "/drop")).status == 200
        context.jobs.run_all()
        assert [each["acknowledge_id"] for each in sent.texts] == ['a\0"\\ü']

    def test_those_of_an_older_version_are_sent(self, context: FakeContext, plugin: Drops) -> None:
        sent = Sent(context)
        self.receive(context, plugin)
        context.db.execute("UPDATE acknowledgement SET acknowledge_id = 'as \"it\" was'")
        plugin.quote_acknowledge_ids(context.db)
        context.jobs.run_all()
        assert [each["acknowledge_id"] for each in sent.texts] == ['as "it" was']

    def test_what_fails_is_tried_again(self, context: FakeContext, plugin: Drops) -> None:
        sent = Sent(context)
        sent.status = 503
        self.receive(context, plugin)
        context.jobs.run_all()
        assert sent.attempts == 1
        plugin._acknowledgements.start()
        context.jobs.run_all()
        assert sent.attempts == 1  # not yet
        first = context.clock.ms()
        context.clock.advance(11)
        plugin._acknowledgements.start()
        context.jobs.run_all()
        assert sent.attempts == 2
        context.clock.advance(11)
        plugin._acknowledgements.start()
        context.jobs.run_all()
        assert sent.attempts == 2  # ever later
        sent.status = 200
        context.clock.advance(3600)
        plugin._acknowledgements.start()
        context.jobs.run_all()
        assert [each["time_stamp"] for each in sent.texts] == [first]
        assert context.db.table("acknowledgement").count_where() == 0

    def test_a_restart_forgets_none(self, context: FakeContext, plugin: Drops) -> None:
        sent = Sent(context)
        sent.status = 503
        self.receive(context, plugin)
        context.jobs.run_all()
        context.stop(plugin)
        sent.status = 200
        context.clock.advance(60)
        again = context.start(Drops)
        again._acknowledgements.start()
        context.jobs.run_all()
        assert [each["acknowledge_id"] for each in sent.texts] == ["ack-1"]

    def test_a_crash_behind_the_sending_repeats_the_same_message(
        self, context: FakeContext, plugin: Drops, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent = Sent(context)
        self.receive(context, plugin)
        with monkeypatch.context() as patch:
            patch.setattr(plugin._acknowledgements._table, "delete", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                plugin._acknowledgements.send(lambda: True)
        context.clock.advance(60)
        assert plugin._acknowledgements.send(lambda: True) == 1
        assert len(sent.texts) == 2
        assert sent.texts[0] == sent.texts[1]

    def test_one_attempt_for_many_to_somebody_who_is_away(
        self, context: FakeContext, plugin: Drops
    ) -> None:
        sent = Sent(context)
        sent.status = 503
        self.receive(context, plugin, 3)
        assert plugin._acknowledgements.send(lambda: True) == 0
        assert sent.attempts == 1
        assert context.db.table("acknowledgement").count_where() == 3

    @pytest.mark.parametrize("why", ["time", "contact", "setting"])
    def test_those_that_make_no_sense_any_more(
        self, context: FakeContext, plugin: Drops, why: str
    ) -> None:
        sent = Sent(context)
        self.receive(context, plugin)
        if why == "time":
            context.clock.advance(15 * DAY)
        elif why == "contact":
            plugin._documents.replace("synced", {**DOCUMENT, "contacts": []})
        else:
            context.settings.update({"acknowledge": False})
        assert plugin._acknowledgements.send(lambda: True) == 0
        assert sent.attempts == 0
        assert context.db.table("acknowledgement").count_where() == 0

    def test_it_stops_when_told(self, context: FakeContext, plugin: Drops) -> None:
        sent = Sent(context)
        self.receive(context, plugin)
        assert plugin._acknowledgements.send(lambda: False) == 0
        assert sent.attempts == 0
        assert plugin._acknowledgements.send(lambda: True) == 1


def drops_of(host: TestHost) -> Drops:
    plugin = host.plugin("drops")
    assert isinstance(plugin, Drops)
    return plugin


class Counted:
    """Stands in for rounds, and counts them."""

    def __init__(self, plugin: Drops, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(plugin._poller, "_rounds", self)

    def run(self, stop: Callable[[], bool]) -> Outcome:
        if not stop():
            self.count += 1
        return Outcome(1, 0, 1, 0, 0)


def test_of_several_processes_one_polls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., None]
) -> None:
    with TestHost(tmp_path / "shared") as one, TestHost(tmp_path / "shared") as other:
        hosts = (one, other)
        counted = [Counted(drops_of(each), monkeypatch) for each in hosts]
        for each in hosts:  # as the job does in each process by and by
            drops_of(each)._poller.start()
        answer = one.put("/settings", json={"key": "poll_interval", "value": 20})
        assert answer.status == 200
        wait_until(lambda: max(each.count for each in counted) >= 20)
        assert min(each.count for each in counted) == 0
        first = int(counted[1].count > 0)
        drops_of(hosts[first])._poller.stop()
        wait_until(lambda: counted[1 - first].count >= 3)


def test_no_worker_is_held_between_rounds(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    with TestHost(tmp_path / "data") as host:
        plugin = drops_of(host)
        wait_until(lambda: plugin._poller._thread is not None)
        wait_until(lambda: not host.host.jobs.busy("drops"))
        (job,) = plugin.context.jobs.list(name="poll")
        assert job.state == "succeeded"


def test_the_interval_is_followed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., None]
) -> None:
    with TestHost(tmp_path / "data") as host:
        counted = Counted(drops_of(host), monkeypatch)

        def set_interval(milliseconds: int) -> None:
            body = {"key": "poll_interval", "value": milliseconds}
            assert host.put("/settings", json=body).status == 200

        set_interval(3_600_000)
        wait_until(lambda: counted.count >= 1)
        before = counted.count
        set_interval(1)
        wait_until(lambda: counted.count >= before + 5)
        set_interval(0)
        thread = drops_of(host)._poller._thread
        assert thread is not None
        host.disable("drops")
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("stored", "goes"),
    [
        ("", True),
        ("yesterday", True),
        ("2026-05-01 12:00:00.000", True),
        ("2026-05-01 12:00:10.000", False),  # of a round that somebody waited for
        ("2026-05-01 12:00:30.000", True),  # the clock was set back
        ("9999-99-99 99:99:99.999", True),  # a client's
    ],
)
def test_a_time_that_waited_to_be_written(plugin: Drops, stored: str, goes: bool) -> None:
    documents = plugin._documents
    documents.put("settings", "drop_last_update", Given(stored, typed=True))
    round_, now = "2026-05-01 12:00:05.000", "2026-05-01 12:00:20.000"
    documents.note_round(round_, noted_at=now)
    expected = round_ if goes else stored
    assert documents.read("settings")[0]["drop_last_update"] == expected


def test_a_command_does_not_poll(context: FakeContext, plugin: Drops) -> None:
    """It enables the plugin in a process of its own, beside the server."""
    assert plugin._poller._thread is None


def test_a_failing_background_goes_on(
    context: FakeContext, plugin: Drops, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []
    with monkeypatch.context() as patch:
        patch.setattr(plugin._poller, "_step", lambda: 1 / 0)
        pauses = [plugin._poller._fenced_step() for _ in range(3)]
    assert pauses == [5.0] * 3
    errors = [each for each in context.log.messages if "could not look" in str(each)]
    assert len(errors) == 1
    assert plugin._poller._fenced_step() <= 0.5
