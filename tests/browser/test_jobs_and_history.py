"""The screens of jobs and of history in a real browser."""

from __future__ import annotations

import pytest

from vernis.session.session import Session

pytestmark = pytest.mark.browser


def test_a_verb_is_a_form_and_runs_with_progress_and_result(open_page, server):
    opened = open_page()
    opened.go("#/jobs/clusters")
    page = opened.page
    page.get_by_role("heading", name="vernis clusters").wait_for()
    page.locator(".job-form summary").click()
    page.locator("#setting-seed").fill("x")
    assert page.locator(".job-complaint").first.inner_text() == "seed is a number, not x"
    assert page.locator(".job-form .primary").is_disabled()
    page.locator("#setting-seed").fill("7")
    assert page.locator("[data-command]").inner_text() == "$ vernis clusters --seed 7"
    page.locator("#setting-seed").press("Enter")
    page.locator(".job-row[data-state=done], .job-row[data-state=failed]").first.wait_for()
    assert page.locator(".job-row b").first.inner_text() == "clusters"
    assert "seed 7" in page.locator(".job-row").first.inner_text()
    page.locator(".jobs-running h2").click()
    page.keyboard.press("r")
    assert page.locator("#setting-seed").input_value() == "7"
    page.get_by_text("Result").click()
    opened.wait(lambda: "{" in page.get_by_label("Result", exact=True).inner_text())


def test_a_job_is_stopped_and_says_so(open_page, server):
    opened = open_page()
    opened.go("#/jobs/lab-models")
    page = opened.page
    page.get_by_role("heading", name="vernis lab models").wait_for()
    page.locator(".job-form .primary").click()
    page.locator(".job-row[data-state=running]").wait_for()
    page.locator(".jobs-running h2").click()
    page.keyboard.press("s")
    page.locator(".job-row[data-state=stopped]").wait_for()
    assert "Stopped" in page.locator(".toast").first.inner_text()


def test_a_decision_stands_in_the_history_and_is_taken_back_there(open_page, server):
    opened = open_page()
    page = opened.page
    page.locator(".review-picture img").wait_for()
    page.keyboard.press("a")
    opened.wait(lambda: page.locator("[data-saved]").inner_text() == "Saved")
    page.keyboard.press("g")
    page.keyboard.press("y")
    row = page.locator(".batch").first
    row.wait_for()
    assert row.locator("b").inner_text() == "accept"
    page.locator(".batch-pictures img").first.wait_for()
    page.keyboard.press("z")
    page.locator(".batch", has_text="undo of").first.wait_for()
    toast = page.locator(".toast").last.inner_text()
    assert toast.startswith("Took back: ")
    assert "accept by" in toast
    assert page.locator(".batch.undone b").first.inner_text() == "accept"
    page.locator(".toast .button").last.click()
    opened.wait(lambda: "#/image/" in page.url)
    with Session.open(server.collection, read_only=True) as session:
        verdicts = {issue.verdict for issue in session.catalog.issues.select(("label",), "kind")}
    assert verdicts == {"open"}


def test_what_another_window_decides_appears_in_the_history_by_itself(open_page):
    one, other = open_page(), open_page()
    one.go("#/history")
    one.page.locator(".batch").first.wait_for()
    before = one.page.locator(".batch").count()
    other.page.locator(".review-picture img").wait_for()
    other.page.keyboard.press("x")
    one.wait(lambda: one.page.locator(".batch").count() == before + 1)
    assert one.page.locator(".batch b").first.inner_text() == "dismiss"
