"""Rows whose events were taken back, on the pages: struck through, said in words, by whom and why."""

import asyncio
from datetime import datetime
from uuid import UUID

import asyncpg
import httpx
import pytest

from harness.api import RunningApi, got
from harness.pages import Browser, Element
from harness.writers import KeptMessages, Recomputer, Writer
from histories import event, retraction
from integration.http.ui_log import HOSTILE, about
from llamalog_schemas.events import EntityType
from llamalog_service.http.web.formatting import visible

ALBUM = UUID(int=51)
WRONG, RIGHT = UUID(int=1), UUID(int=2)


@pytest.fixture
async def before(pool: asyncpg.Pool) -> datetime:
    """A claim that won was taken back, and another counts now; the time before it was."""
    kept = KeptMessages()
    writer = Writer(pool, kept)
    album = {"entity_type": EntityType.ALBUM, "entity_id": ALBUM, "album_id": ALBUM}
    await writer.write(
        about(1, "child", "wrong", operation="album:guessed", root_job_id="wrong", **album),
        about(2, "child", "top", operation="album:known", **album),
        event(3, "top"),
        event(4, "wrong"),
    )
    await Recomputer(pool, kept).settle()
    at: datetime = await pool.fetchval("SELECT clock_timestamp()")
    await writer.write(retraction(9, 1, by="ann", reason=HOSTILE))
    await Recomputer(pool, kept).settle()
    return at


def _line(page: Element, row: UUID) -> Element:
    return page.one("li", data_key=str(row))


def _facts(element: Element) -> dict[str, str]:
    return {term.text: value.text for term, value in zip(element.all("dt"), element.all("dd"), strict=True)}


def _is_struck(line: Element) -> bool:
    return "retracted" in line.attributes["class"].split() and len(line.all("del")) > 0


async def test_a_retracted_row_is_marked_in_every_list_with_who_took_it_back_and_why(
    api: RunningApi, before: datetime
) -> None:
    def read() -> None:
        with httpx.Client(base_url=api.url, timeout=60) as http:
            browser = Browser(http)
            pages = [
                browser.get("/ui/logs"),
                browser.get(f"/ui/entities/ALBUM/{ALBUM}"),
                browser.get(f"/ui/entities/ALBUM/{ALBUM}", order="time"),
                browser.get("/ui/jobs", job="top"),
            ]
            for page in pages:
                wrong, right = _line(page, WRONG), _line(page, RIGHT)
                assert _is_struck(wrong)
                assert "retracted" in [badge.text for badge in wrong.all("span", "badge")]
                assert "retracted" not in right.attributes["class"].split()
                assert "retracted" not in right.text
                shown = _facts(wrong.one("div", "detail"))
                reason = " ".join(visible(HOSTILE).split())
                assert shown["Retracted"].startswith("by ann ")
                assert shown["Retracted"].endswith(f": {reason} it makes no claim and no declaration")
                assert shown["Names as parent"] == "wrong taken back"
                assert shown["Declares as root"] == "wrong taken back"
                assert shown["Root"].startswith("top")
                assert "declares another root" not in wrong.text
                assert wrong.all("script") == []
            whole = browser.get(f"/ui/logs/{WRONG}")
            assert whole.one("h1").one("del").text == "album:guessed"
            assert _facts(whole.one("div", "detail"))["Retracted"].startswith("by ann ")
            then = _line(browser.get("/ui/jobs", job="wrong", asOf=before.isoformat()), WRONG)
            assert "retracted" not in then.attributes["class"].split()
            assert "Retracted" not in _facts(then.one("div", "detail"))

    await asyncio.to_thread(read)


async def test_a_job_whose_first_event_was_taken_back_is_marked_in_lists_of_jobs(
    api: RunningApi, pool: asyncpg.Pool
) -> None:
    kept = KeptMessages()
    events = [event(1, "top"), event(2, "child", "top"), event(3, "child", "top"), event(4, "other", "top")]
    await Writer(pool, kept).write(*events, retraction(8, 1), retraction(9, 2))
    await Recomputer(pool, kept).settle()
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        (root,) = (await got(client, "/root-jobs"))["items"]
        children = (await got(client, "/children", job="top"))["items"]
        links = (await got(client, "/chain", job="child"))["links"]
        unseen = (await got(client, "/chain", job="nobody bears it"))["links"]
    assert (root["job"], root["retracted"]) == ("top", True)
    assert {child["job"]: child["retracted"] for child in children} == {"child": True, "other": False}
    assert [link["retracted"] for link in (*links, *unseen)] == [True, True, False]

    def read() -> None:
        with httpx.Client(base_url=api.url, timeout=60) as http:
            browser = Browser(http)
            roots, next_jobs = browser.get("/ui"), browser.get("/ui/jobs", job="top", view="next")
            for page, job in ((roots, "top"), (next_jobs, "child")):
                row = page.one("tr", data_key=job)
                assert row.attributes["class"] == "retracted"
                assert "retracted" in [badge.text for badge in row.all("span", "badge")]
            assert "retracted" not in next_jobs.one("tr", data_key="other").text
            assert "child retracted" in browser.get("/ui/jobs", job="child").one("ol", "chain").text

    await asyncio.to_thread(read)


async def test_an_explanation_names_what_was_taken_back_and_the_producers(
    api: RunningApi, before: datetime
) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        found = await got(client, f"/logs/{WRONG}/explanation")
        right = await got(client, f"/logs/{RIGHT}/explanation")
        then = await got(client, f"/logs/{WRONG}", asOf=before.isoformat().replace("+00:00", "Z"))
    assert (found["root"], found["retracted"], found["retraction"]["requestedBy"]) == ("top", True, "ann")
    child = found["steps"][0]
    (taken,) = child["retracted"]
    assert (taken["event"]["row"], taken["parent"], taken["declared"]) == (str(WRONG), "wrong", "wrong")
    assert taken["retraction"] == found["retraction"]
    assert taken["retraction"]["reason"] == HOSTILE
    assert (child["claims"][0]["event"]["producer"], child["claims"][0]["event"]["isLegacy"]) == (
        "/tests",
        False,
    )
    (change,) = found["history"]["changes"]
    assert (change["cause"], change["retraction"], change["event"]["row"]) == (
        "retraction",
        found["retraction"]["id"],
        str(WRONG),
    )
    assert change["sentence"].startswith(
        f"ann took back the event of row {WRONG}, album:guessed, by /tests: "
    )
    assert (right["retracted"], right["retraction"], right["steps"]) == (False, None, found["steps"])
    assert (then["rootJobId"], then["retracted"], then["parentConflict"]) == ("wrong", False, False)

    def read() -> None:
        with httpx.Client(base_url=api.url, timeout=60) as http:
            page = Browser(http).get(f"/ui/logs/{WRONG}/explanation")
            assert "retracted" in [badge.text for badge in page.all("span", "badge")]
            assert "The row itself is retracted: it makes no claim and no declaration." in page.text
            assert "the declaration of the root wrong do not count, since they are retracted: " in page.text
            assert "by /tests" in page.one("ol", "steps").text
            assert f"ann took back the event of row {WRONG}" in page.one("tbody").text
            assert page.one("main").all("script") == []

    await asyncio.to_thread(read)


async def test_a_long_reason_is_cut_in_lists_and_whole_on_the_page_of_the_row(
    api: RunningApi, pool: asyncpg.Pool
) -> None:
    kept, reason = KeptMessages(), "a reason " * 1000
    await Writer(pool, kept).write(event(1, "child"), retraction(9, 1, by="ann", reason=reason))
    await Recomputer(pool, kept).settle()

    def read() -> None:
        with httpx.Client(base_url=api.url, timeout=60) as http:
            browser = Browser(http)
            listed = _facts(_line(browser.get("/ui/logs"), WRONG).one("div", "detail"))["Retracted"]
            assert len(listed) < 400
            whole = _facts(browser.get(f"/ui/logs/{WRONG}").one("div", "detail"))["Retracted"]
            assert reason.strip() in whole

    await asyncio.to_thread(read)
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        found = await got(client, f"/logs/{WRONG}/explanation")
    assert found["retraction"]["reason"] == f"{reason[:1999]}…"
