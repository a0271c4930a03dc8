"""Answers that are kept for the case that a scan is cut off (media contract, 7.2)."""

from __future__ import annotations

import threading

import pytest

from builtin_plugins.media.answer_forms import metadata_of, plain
from builtin_plugins.media.kept_answers import KeptAnswers
from plugin_sdk import DatabaseUnavailable


@pytest.fixture
def kept_of(client, plant, tmp_path):
    """Makes one of a job that waits to go on, as a later run of it sees it."""
    job_id = client.scan(plant(tmp_path / "films", "A.mkv"))["id"]
    database = client.host.plugin("media").context.db
    database.execute("UPDATE scan_job SET status = 'PAUSED'")

    def make() -> KeptAnswers:
        kept = KeptAnswers(database, database.table("scan_job").get(job_id))
        kept.read()
        return kept

    return make


@pytest.fixture
def at_once():
    """Calls in threads of their own; the errors that they raised."""

    def run(*calls):
        errors = []

        def work(call):
            try:
                call()
            except DatabaseUnavailable as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=[call]) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return errors

    return run


@pytest.mark.parametrize("fails", [False, True])
def test_threads_share_commits(kept_of, at_once, wait_until, monkeypatch, fails):
    """While one writes the others note; an answer is durable when `keep` returns, also when the
    thread that was to write it along failed."""
    kept, sizes, durable = kept_of(), [], []
    write = kept._write

    def slowly(rows):
        sizes.append(len(rows))
        if len(sizes) == 1:
            wait_until(lambda: kept._count == 8)
            if fails:
                raise DatabaseUnavailable("for once")
        write(rows)

    monkeypatch.setattr(kept, "_write", slowly)

    def keep(number):
        if number:
            wait_until(lambda: sizes)  # the first one writes, before anybody else notes anything
        kept.keep("title", ("F", number), {"answer": number})
        durable.append(kept_of().find("title", ("F", number)) == {"answer": number})

    errors = at_once(*(lambda number=number: keep(number) for number in range(8)))
    assert len(errors) == fails
    assert sizes == ([1, 8] if fails else [1, 7])
    assert durable == [True] * (8 - fails)
    later = kept_of()
    assert all(later.find("title", ("F", number)) for number in range(8))


def test_what_was_asked_once(kept_of):
    kept, asked = kept_of(), []
    assert kept.once(("row", "search"), lambda: asked.append(1)) is None
    assert kept_of().once(("row", "search"), lambda: asked.append(2)) is None  # "nothing", too
    assert asked == [1]
    with pytest.raises(ZeroDivisionError):
        kept.once(("row", "other"), lambda: 1 / 0)
    assert kept_of().once(("row", "other"), lambda: 7) == 7


def test_names_of_any_kind(kept_of):
    key = ("title", "\0 \ud800 Élite", None)
    kept_of().keep("title", key, {"answer": "\0 \ud800"})
    assert kept_of().find("title", key) == {"answer": "\0 \ud800"}
    kept_of().keep("title", ("none",), object())
    assert kept_of().find("title", ("none",)) is None


def test_what_is_stored_is_kept_no_longer(client, kept_of):
    kept = kept_of()
    for kind in ("step", "title", "picture", "season"):
        kept.keep(kind, ("F",), 1)
    kept.settle({("F",): 2})
    kept.settled()
    later = kept_of()
    kinds = ("step", "title", "picture", "season", "known")
    assert [later.find(kind, ("F",)) for kind in kinds] == [None, None, None, 1, 2]
    later.forget()
    assert client.query("SELECT * FROM kept_answer") == []


def test_nothing_is_kept_for_a_job_that_ended(client, kept_of):
    kept = kept_of()
    client.host.plugin("media").context.db.execute("UPDATE scan_job SET status = 'FAILED'")
    kept.keep("title", ("F",), 1)
    assert client.query("SELECT * FROM kept_answer") == []


def test_an_answer_that_is_none_is_asked_for_again(
    client, script, film, plant, tmp_path, kept_of, monkeypatch
):
    """What a provider of somebody else answered may look like anything."""
    client.use()
    script.answers["movie:A"] = film(1, "A", genres=None)
    held = plain(script.answers["movie:A"])
    with pytest.raises(TypeError):
        metadata_of(held)
    monkeypatch.setattr(KeptAnswers, "find", lambda *_: {"answer": held})
    script.answers["movie:A"] = film(1, "A")
    monkeypatch.setattr("builtin_plugins.media.lookups.Lookups.known", lambda *_: False)
    assert client.scan(tmp_path / "films")["metadataSuccessCount"] == 1
    assert script.take() == [("movie", "A")]
