"""The pages of the admin's desk, each for itself, on one host."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_host_that_others_reach_is_warned_of(desk: Callable[..., Any]) -> None:
    page = desk("/admin").page
    expect(page.locator("#exposed")).to_be_hidden()
    known = page.evaluate("fetch('/api/admin/overview').then((answer) => answer.json())")
    seen = {**known, "exposed": True, "listeners": ["http://192.0.2.7:8765"]}
    page.route("**/api/admin/overview", lambda route: route.fulfill(json=seen))
    page.reload()
    expect(page.locator("#exposed")).to_contain_text("Other machines can reach this host.")
    expect(page.locator("#cards")).to_contain_text("http://192.0.2.7:8765")


def test_the_log_is_followed_and_filtered(desk: Callable[..., Any]) -> None:
    watched = desk("/admin/logs")
    page = watched.page
    page.get_by_role("combobox", name="Plugin").fill("horn")
    expect(page.locator(".record", has_text="valves")).to_have_count(0)
    page.evaluate("fetch('/api/plugins/horn/complain', {method: 'POST'})")
    expect(page.locator(".record.warn", has_text="The horn is dented.")).to_have_count(1)
    page.evaluate("fetch('/api/plugins/horn/complain', {method: 'POST'})")
    expect(page.locator(".record.warn", has_text="The horn is dented.")).to_have_count(2)
    page.get_by_label("Text").fill("no such thing")
    expect(page.locator(".record")).to_have_count(0)
    expect(page.locator("#none")).to_contain_text("No record fits.")
    assert watched.complaints == []


def test_providers_are_tried_and_put_in_order(desk: Callable[..., Any]) -> None:
    watched = desk("/admin/providers")
    page = watched.page
    page.get_by_role("button", name="Test storage: local").click()
    expect(page.locator("#said")).to_contain_text("storage: local: ")
    chain = page.get_by_role("list", name="metadata").locator("h3")
    before = chain.all_inner_texts()
    assert len(before) > 2
    last = before[-1]
    page.get_by_role("button", name=f"Ask metadata: {last} earlier").click()
    after = [*before[:-2], last, before[-2]]
    expect(chain).to_have_text(after)
    page.reload()
    expect(chain).to_have_text(after)
    assert watched.complaints == []


def test_people_come_and_go(desk: Callable[..., Any]) -> None:
    page = desk("/admin/people").page
    page.get_by_role("button", name="New profile").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Ada")
    dialog.get_by_label("PIN").fill("1234")
    dialog.get_by_label("Recovery phrase").fill("jacquard")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_be_visible()  # the name is taken
    dialog.get_by_label("Name").fill("Joseph")
    dialog.get_by_role("button", name="Save").click()
    row = page.locator("#profiles li", has_text="Joseph")
    row.get_by_role("button", name="Lock").click()
    expect(row.locator(".state")).to_have_text("locked")
    row.get_by_role("button", name="Unlock").click()
    expect(row.locator(".state")).to_have_count(0)
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    page.goto("/admin/audit")
    expect(page.locator("#entries tr").first).to_contain_text("DELETE /api/profiles/")
    expect(page.locator("#entries tr").first).to_contain_text("Ada")


def test_a_backup_is_downloaded_deleted_and_brought_back(
    desk: Callable[..., Any], tmp_path: Path
) -> None:
    watched = desk("/admin/backups")
    page = watched.page
    page.get_by_role("button", name="Back up now").click()
    rows = page.locator("#backups li")
    expect(rows).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert zipfile.is_zipfile(file)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(0)
    page.get_by_label("File").set_input_files(str(file))
    page.get_by_role("button", name="Upload").click()
    expect(rows).to_have_count(1)
    assert watched.complaints == []


def test_diagnostics_are_downloaded(desk: Callable[..., Any]) -> None:
    watched = desk("/admin/help")
    page = watched.page
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    content = Path(download.value.path()).read_bytes()
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    assert watched.complaints == []


def test_a_long_job_stays_in_sight_of_a_hundred_short_ones(desk: Callable[..., Any]) -> None:
    def job(number: int, state: str) -> dict[str, Any]:
        at = "2026-01-01T00:00:00.000Z"
        told = {"id": str(number), "plugin": "horn", "name": f"n{number}", "state": state}
        figures = {"done": 3, "total": 10, "text": "", "attempt": 1, "cancelRequested": False}
        return {**told, **figures, "createdAt": at, "startedAt": at, "finishedAt": at}

    short = [job(number, "succeeded") for number in range(100, 0, -1)]
    page = desk("/admin/jobs").page

    def answer(route: Any) -> None:
        state = parse_qs(urlsplit(route.request.url).query).get("state", [""])[0]
        found = {"running": [job(0, "running")], "queued": []}
        route.fulfill(json=found.get(state, short))

    page.route("**/api/admin/jobs?*", answer)
    expect(page.locator("#jobs li").first).to_contain_text("horn: n0")
    expect(page.locator("#jobs li")).to_have_count(101)


def test_whose_calls_are_counted_is_said_where_several_processes_serve(
    desk: Callable[..., Any],
) -> None:
    page = desk("/admin").page
    expect(page.locator("#shared")).to_be_empty()

    def answer(route: Any) -> None:
        route.fulfill(json={**route.fetch().json(), "otherProcesses": 2})

    page.route("**/api/admin/overview", answer)
    expect(page.locator("#shared")).to_contain_text("the process that answered; 2 others")
    page.goto("/admin/plugins/horn")
    expect(page.locator("#figures")).to_contain_text("the process that answered; 2 others")
