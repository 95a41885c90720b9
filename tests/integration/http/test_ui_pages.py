"""The pages of the log as they are served, over a real database, and as they are without scripts."""

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from harness.api import running_api
from harness.databases import new_database
from harness.pages import Browser, Element
from integration.http.ui_log import ALBUM, HOSTILE, HOSTILE_ALBUM, HOSTILE_JOB, LARGE_ALBUM, LARGE_ROOT, fill
from llamalog_service.http.web.formatting import visible
from llamalog_service.settings import Settings

UNREACHABLE = "127.0.0.1:1"
"""Where no Kafka listens: these pages need none."""

SHOWN = " ".join(visible(HOSTILE).split())


@pytest.fixture(scope="module")
def browser(postgres_url: str, template_database: str) -> Iterator[Browser]:
    with asyncio.Runner() as runner:
        database = new_database(postgres_url, template_database)
        url = runner.run(database.__aenter__())
        runner.run(fill(url))
        serving = running_api(Settings(database_url=SecretStr(url), kafka=UNREACHABLE, log_format="json"))
        api = runner.run(serving.__aenter__())
        with httpx.Client(base_url=api.url, timeout=30) as client:
            yield Browser(client)
        runner.run(serving.__aexit__(None, None, None))
        runner.run(database.__aexit__(None, None, None))


def lines(page: Element) -> list[Element]:
    return [item for part in page.all("ol", "tree") for item in part.children if isinstance(item, Element)]


def line(page: Element, number: int) -> Element:
    """The line of the event with this number."""
    return page.one("li", data_key=str(UUID(int=number)))


def facts(element: Element) -> dict[str, str]:
    return {term.text: value.text for term, value in zip(element.all("dt"), element.all("dd"), strict=True)}


def test_the_table_of_root_jobs_leads_to_an_album_its_tree_and_its_details(browser: Browser) -> None:
    roots = browser.get("/ui", q="Love Supreme")
    row = roots.one("tr", data_key="create-love")
    cells = [cell.text for cell in row.all("td")]
    assert row.one("th", scope="row").text.startswith("A Love Supreme album create-love")
    assert cells[:5] == ["created", "success 1 failed", "2", "2 ms", "ada"]
    assert roots.one("caption").text
    assert [header.text for header in roots.all("th", scope="col")] == [
        "Album or entity", "Category", "Status", "Rows below", "Duration", "User", "Age",
    ]  # fmt: skip

    album = browser.get(row.link("A Love Supreme"))
    assert album.one("h1").text == "A Love Supreme"
    levels = [(item.attributes["data-key"][-2:], item.attributes["data-level"]) for item in lines(album)]
    assert levels == [("64", "1"), ("65", "2"), ("66", "3"), ("67", "1")]

    shown = facts(line(album, 101).one("div", "detail"))
    assert shown["Fields"] == "label barcode"
    assert shown["Sources"] == "MUSICBRAINZ LINER_NOTES"
    assert shown["Quality"] == "low → to high"
    assert shown["Took"] == "1.2 s, 3 API calls"
    assert shown["Started by"] == "create-love"
    assert shown["Root"] == "create-love found by following its parents"
    assert '"candidates": 7' in line(album, 101).one("pre").text
    failure = facts(line(album, 102).one("div", "detail"))
    assert failure["Error"] == "IMAGE_NOT_FOUND The shelf is empty."


def test_an_albums_summary_shows_its_first_and_last_moments(browser: Browser) -> None:
    album = browser.get(f"/ui/entities/ALBUM/{ALBUM}")
    summary = facts(album.one("dl", "facts"))
    assert summary["First created"] == "10 Feb 2026, 12:00:00 by create-love"
    assert summary["First linked"] == "never"
    assert summary["Last failure"].endswith("by create-love IMAGE_NOT_FOUND")
    assert summary["Retries"] == "3"
    assert album.one("dl", "facts").link("create-love") == "/ui/jobs?job=create-love"


def test_a_row_without_a_root_is_dimmed_and_says_why(browser: Browser) -> None:
    album = browser.get(f"/ui/entities/ALBUM/{ALBUM}")
    orphan = line(album, 103)
    assert "dimmed" in orphan.attributes["class"]
    assert orphan.one("span", "unknown").text == "Origin unknown: names neither job nor parent"
    assert all("dimmed" not in line(album, number).attributes["class"] for number in (100, 101, 102))

    known = browser.get(album.link("Known origin only"))
    assert [item.attributes["data-key"][-2:] for item in lines(known)] == ["64", "65", "66"]
    assert [tab.text for tab in known.all("a", aria_current="true")] == ["By job", "Known origin only"]

    unknown = browser.get(album.link("Its rows of unknown origin"))
    assert [item.attributes["data-key"] for item in lines(unknown)] == [str(UUID(int=103))]
    assert "checked" in unknown.one("input", name="unknownOriginOnly").attributes


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ("PENDING", "waits for a job never seen"),
        ("CYCLE", "its jobs form a cycle: ring-a → ring-b"),
        ("UNTRACKED", "names neither job nor parent"),
    ],
)
def test_rows_of_unknown_origin_are_found_by_their_reason(browser: Browser, origin: str, reason: str) -> None:
    badges = browser.get("/ui/logs", origin=origin).all("span", "unknown")
    assert badges
    assert f"Origin unknown: {reason}" in {badge.text for badge in badges}


def test_the_chain_leads_upwards_link_by_link(browser: Browser) -> None:
    page = browser.get("/ui/jobs", job="cache-love")
    chain = page.one("ol", "chain")
    assert [item.text for item in chain.all("li")] == [
        "A Love Supreme create-love", "A Love Supreme enrich-love", "cache-love",
    ]  # fmt: skip
    above = browser.get(chain.link("enrich-love"))
    assert [item.attributes["data-level"] for item in lines(above)] == ["1", "2"]
    top = browser.get(above.one("ol", "chain").link("create-love"))
    assert "it is a root job" in top.one("main").text
    assert len(lines(top)) == 3


def test_a_long_chain_folds_its_middle_and_a_deep_tree_says_its_depth(browser: Browser) -> None:
    page = browser.get("/ui/jobs", job="deep-39")
    assert page.one("ol", aria_label="From the topmost job to this one").one("summary").text == (
        "32 jobs between"
    )
    assert all(page.link(f"deep-{number}") for number in range(39))
    deepest = lines(browser.get("/ui/jobs", job="deep-0"))[-1]
    assert deepest.attributes["data-level"] == "40"
    assert deepest.one("span", "deep").text == "depth 40"


def test_a_job_never_seen_has_a_page_that_says_so(browser: Browser) -> None:
    waiting = browser.get("/ui/jobs", job="never-seen")
    assert "It has no event of its own" in waiting.one("main").text
    assert waiting.all("span", "unknown")[0].text == "Origin unknown: waits for a job never seen"
    adopted = browser.get("/ui/jobs", job="adopted-child")
    assert "an operator's override" in adopted.one("main").text


def test_the_next_jobs_alone_are_listed_page_by_page(browser: Browser) -> None:
    page = browser.get("/ui/jobs", job=LARGE_ROOT, view="next")
    first = [
        row.attributes["data-key"] for row in page.one("table", id="children").all("tr") if row.all("td")
    ]
    assert first == [f"import-{number}" for number in range(1, 101)]
    following = browser.get(page.link("Later jobs"))
    assert following.all("tr")[1].attributes["data-key"] == "import-101"


def test_rivals_for_a_parent_are_shown_on_the_row(browser: Browser) -> None:
    row = lines(browser.get("/ui/logs", job="torn"))[0]
    assert row.one("span", "flag").text == "names another parent"
    detail = browser.get(row.one("dl").all("a")[-1].attributes["href"])
    assert facts(detail)["Names as parent"] == "other-parent an earlier claim counts"


def test_twenty_thousand_rows_under_one_root_come_piece_by_piece(browser: Browser) -> None:
    page = browser.get("/ui/jobs", job=LARGE_ROOT)
    seen: list[str] = []
    for _ in range(3):
        assert len(lines(page)) <= 201
        keys = [item.attributes["data-key"] for item in lines(page) if "data-key" in item.attributes]
        assert not set(keys) & set(seen)
        seen.extend(keys)
        page = browser.get(page.link("Later rows"))
    assert len(seen) == 600
    assert lines(page)[0].text.endswith(f"below {LARGE_ROOT}"), "a piece names where it goes on"
    assert {item.attributes["data-level"] for item in lines(page)} == {"1", "2"}
    timeline = browser.get(f"/ui/entities/ALBUM/{LARGE_ALBUM}")
    assert len(lines(timeline)) == 200


def test_a_count_that_ended_early_says_that_there_is_more(browser: Browser) -> None:
    row = browser.get("/ui", q="Everything").one("tr", data_key=LARGE_ROOT)
    assert row.one("td", data_label="Rows").text == "9,999+"


def test_a_browser_keeps_what_all_pages_share(browser: Browser) -> None:
    sheet = browser.client.get("/ui/static/tree.css")
    assert sheet.headers["cache-control"] == "no-cache"
    kept = {"If-None-Match": sheet.headers["etag"]}
    assert browser.client.get("/ui/static/tree.css", headers=kept).status_code == 304
    assert browser.client.get("/ui").headers["cache-control"] == "no-store"


def test_the_table_goes_on_where_it_stopped(browser: Browser) -> None:
    everything = [row.attributes["data-key"] for row in browser.get("/ui").all("tr") if row.all("td")]
    assert LARGE_ROOT in everything
    assert len(everything) == len(set(everything))
    page = browser.get("/ui/logs", since="2026-02-10", category="created")
    earlier = browser.get(page.link("Earlier"))
    assert len(lines(page)) == len(lines(earlier)) == 50
    assert lines(page)[-1].attributes["data-key"] > lines(earlier)[0].attributes["data-key"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"error": "SHELF is"}, [102]),
        ({"operation": "spotify:*", "entityId": str(ALBUM)}, [103]),
        ({"source": "LINER_NOTES"}, [101]),
        ({"user": "ada"}, [100]),
        ({"job": "ring-b"}, [202]),
        ({"root": "create-love"}, [102, 101, 100]),
        ({"entityType": "ALBUM", "entityId": str(ALBUM), "rootsOnly": "true"}, [100]),
        ({"category": "FAILED", "status": "FAILED", "entityId": str(ALBUM)}, [102]),
        ({"job": "create-love", "since": "2026-02-10", "until": "2026-02-10T12:00:00.050Z"}, []),
    ],
    ids=str,
)
def test_every_field_of_the_search_counts(
    browser: Browser, query: dict[str, str], numbers: list[int]
) -> None:
    page = browser.get("/ui/logs", **query)
    found = [item.attributes["data-key"] for item in page.all("li") if "data-key" in item.attributes]
    assert found == [str(UUID(int=number)) for number in numbers]
    entered = {entry.attributes["name"]: entry.attributes["value"] for entry in page.all("input")}
    chosen = {
        select.attributes["name"]: option.attributes["value"]
        for select in page.all("select")
        for option in select.all("option")
        if "selected" in option.attributes
    }
    assert query.items() <= {**entered, **chosen}.items(), "the form shows what was requested"


def test_what_cannot_be_understood_is_named_beside_the_form(browser: Browser) -> None:
    page = browser.get("/ui/logs", 422, since="yesterday", category="GONE", entityId="12")
    complaints = [notice.text for notice in page.all("p", "notice")]
    assert len(complaints) == 3
    assert complaints[0].startswith("“GONE” was not understood for category: it is one of CREATED, ")
    assert page.one("input", name="since").attributes["value"] == "yesterday"
    assert "is no cursor" in browser.get("/ui", 422, after="nonsense").one("p", "notice").text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"/ui/entities/ALBUM/{uuid4()}", "The log knows no album"),
        ("/ui/jobs?job=unknown", "The log knows no job unknown"),
        (f"/ui/logs/{uuid4()}", "The log has no row"),
        ("/ui/nothing-here", "nothing under this path"),
    ],
    ids=["an album", "a job", "a row", "a path"],
)
def test_what_is_not_known_has_a_page_that_helps(browser: Browser, path: str, text: str) -> None:
    page = browser.get(path, 404)
    assert text in page.one("main").text
    assert page.one("main").link("root jobs") == "/ui"


def test_one_field_finds_ids_jobs_and_titles(browser: Browser) -> None:
    assert browser.leads_to("/ui/find", q=f" {ALBUM} ") == f"/ui/entities/ALBUM/{ALBUM}"
    assert browser.leads_to("/ui/find", q=str(UUID(int=103))) == f"/ui/logs/{UUID(int=103)}"
    assert browser.leads_to("/ui/find", q="enrich-love") == "/ui/jobs?job=enrich-love"
    assert browser.leads_to("/ui/find", q="never-seen") == "/ui/jobs?job=never-seen"
    assert browser.leads_to("/ui/find", q="a love supreme") == "/ui?q=a+love+supreme"
    assert browser.get("/ui/find", q="love supreme").one("tr", data_key="create-love")


@pytest.mark.parametrize(
    "path",
    [
        "/ui?q=onerror",
        "/ui/logs?error=onerror",
        f"/ui/entities/ALBUM/{HOSTILE_ALBUM}",
        f"/ui/entities/ALBUM/{HOSTILE_ALBUM}?order=time",
        f"/ui/logs/{UUID(int=401)}",
        f"/ui/logs/{UUID(int=402)}",
        str(httpx.URL("/ui/jobs", params={"job": HOSTILE_JOB})),
        str(httpx.URL("/ui/jobs", params={"job": HOSTILE_JOB, "view": "next"})),
        str(httpx.URL("/ui", params={"q": HOSTILE, "user": HOSTILE})),
    ],
)
def test_what_is_hostile_in_any_field_is_text(browser: Browser, path: str) -> None:
    page = browser.get(path)
    assert not page.all("img")
    assert all("src" in script.attributes for script in page.all("script"))
    handlers = {name for element in page for name in element.attributes if name.startswith("on")}
    assert not handlers
    assert not {"style"} & {name for element in page for name in element.attributes}
    assert "\u202e" not in page.text
    assert "49" not in page.one("h1").text
    shown = page.one("main").text + " ".join(
        field.attributes["value"] for field in page.all("input", dir="auto")
    )
    assert "<script>alert(2)</script>" in shown


def test_every_hostile_field_of_a_row_is_shown_as_it_is(browser: Browser) -> None:
    shown = facts(browser.get(f"/ui/logs/{UUID(int=400)}").one("dl"))
    for term in ("Reason", "Fields", "Sources", "User"):
        assert shown[term] == SHOWN, term
    assert shown["Error"].endswith(SHOWN)
    assert shown["Job"] == " ".join(visible(HOSTILE_JOB).split())


def test_every_link_of_the_pages_leads_somewhere(browser: Browser) -> None:
    """Those to other parts of the service are for their own tests."""
    ours = ("/ui?", "/ui/logs", "/ui/jobs", "/ui/entities", "/ui/static")
    paths = (
        "/ui?q=love",
        "/ui/logs?root=create-love",
        f"/ui/entities/ALBUM/{ALBUM}",
        f"/ui/entities/ALBUM/{HOSTILE_ALBUM}",
        "/ui/jobs?job=cache-love",
    )
    followed: set[str] = set()
    for path in paths:
        for element in browser.get(path):
            for name in ("href", "src"):
                target = element.attributes.get(name, "")
                if target.startswith(ours) and target not in followed:
                    followed.add(target)
                    assert browser.client.get(target).status_code == 200, f"{target} on {path}"
    assert len(followed) > 30


def test_a_page_can_be_used_with_the_keyboard_and_heard(browser: Browser) -> None:
    for path in ("/ui", "/ui/logs", f"/ui/entities/ALBUM/{ALBUM}", "/ui/jobs?job=cache-love"):
        page = browser.get(path)
        first = page.one("body").all("a")[0]
        assert first.text == "Skip to the content"
        assert page.one("main").attributes["id"] == first.attributes["href"].lstrip("#")
        assert page.one("html").attributes["lang"] == "en"
        assert len(page.all("h1")) == 1
        labelled = {label.attributes["for"] for label in page.all("label") if "for" in label.attributes}
        for name in ("input", "select"):
            for entry in page.all(name):
                kind = entry.attributes.get("type")
                assert kind in ("hidden", "checkbox") or entry.attributes["id"] in labelled
        assert page.one("div", id="announcement").attributes["aria-live"] == "polite"
        identities = [element.attributes["id"] for element in page if "id" in element.attributes]
        assert len(identities) == len(set(identities))
        assert all(exact.attributes["datetime"].endswith("Z") for exact in page.all("time"))


async def test_without_postgresql_a_page_says_so(postgres_url: str) -> None:
    gone = Settings(database_url=SecretStr("postgresql://none@127.0.0.1:1/none"), kafka=UNREACHABLE)
    async with running_api(gone) as api, httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        for path in ("/ui", "/ui/logs", f"/ui/entities/ALBUM/{ALBUM}", "/ui/jobs?job=x"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert answer.headers["content-type"].startswith("text/html")
            assert "PostgreSQL does not answer" in answer.text
            assert "Try again" in answer.text
