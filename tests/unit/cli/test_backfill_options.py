"""What an operator types for a backfill: expectations, scopes, moments."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from llamalog_schemas.commands import ExpectedCounts, GivenJobs, OneRoot, TimeWindow, WholeTable
from llamalog_schemas.limits import EARLIEST_TIME, LATEST_TIME
from llamalog_service.backfill.scopes import InvalidScopeError, parse_moment
from llamalog_service.cli.backfill.options import InvalidExpectationError, choose_scope, parse_expectation

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)


def test_an_expectation_names_counts_by_class() -> None:
    assert parse_expectation("roots=1537,children=30, untracked = 2_485") == ExpectedCounts(
        roots=1537, children=30, untracked=2485
    )


def test_a_class_that_is_not_named_is_not_expected_to_be_empty() -> None:
    assert parse_expectation("rows=4052").cycles is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("roots", "`roots` has no `=`"),
        ("", "`` has no `=`"),
        ("root=3", "no class `root`. Did you mean `roots`?"),
        (
            "xyz=3",
            "There are adopted, children, conflicts, cycles, declared, pending,",
        ),
        ("roots=3,roots=4", "`roots` is given twice"),
        ("roots=many", "The count of `roots` is 'many', which is no whole number"),
        ("roots=-1", "The count of `roots` is -1"),
        ("roots=99999999999", "The count of `roots` is 99999999999"),
    ],
)
def test_a_wrong_expectation_is_refused_with_a_right_one_as_example(text: str, sentence: str) -> None:
    with pytest.raises(InvalidExpectationError) as raised:
        parse_expectation(text)
    assert sentence in str(raised.value)
    assert "looks like roots=1537,children=30,untracked=2485" in str(raised.value)


def test_without_options_the_scope_is_everything() -> None:
    assert choose_scope([], None, None, None) == WholeTable()


def test_jobs_named_twice_count_once() -> None:
    assert choose_scope(["b", "a", "b"], None, None, None) == GivenJobs(jobs=("b", "a"))


def test_a_root_is_a_scope() -> None:
    assert choose_scope([], "album-1", None, None) == OneRoot(root_job_id="album-1")


def test_a_window_that_is_open_on_one_side_reaches_as_far_as_events_can() -> None:
    assert choose_scope([], None, NOON, None) == TimeWindow(from_=NOON, to=LATEST_TIME)
    assert choose_scope([], None, None, NOON) == TimeWindow(from_=EARLIEST_TIME, to=NOON)


@pytest.mark.parametrize(
    ("jobs", "root", "since", "until", "sentence"),
    [
        (["a"], "b", None, None, "--job and --root exclude each other"),
        ([], "b", NOON, None, "--root and --since/--until exclude each other"),
        ([], None, NOON, NOON, "No row lies in that window"),
        (["a" * 101], None, None, None, "1 to 100 characters"),
        ([], "", None, None, "1 to 100 characters"),
        (["half a \udcff"], None, None, None, "1 to 100 characters"),
        ([str(job) for job in range(1001)], None, None, None, "1,001 jobs are named"),
    ],
)
def test_options_that_name_no_scope_are_refused(
    jobs: list[str], root: str | None, since: datetime | None, until: datetime | None, sentence: str
) -> None:
    with pytest.raises(InvalidScopeError, match=sentence):
        choose_scope(jobs, root, since, until)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-10", datetime(2026, 2, 10, tzinfo=UTC)),
        ("2026-02-10T12:00", NOON),
        ("2026-02-10T12:00:00Z", NOON),
        ("2026-02-10T13:00:00+01:00", NOON.astimezone(timezone(timedelta(hours=1)))),
    ],
)
def test_a_moment_without_a_zone_is_utc(text: str, moment: datetime) -> None:
    parsed = parse_moment(text)
    assert (parsed, parsed.utcoffset()) == (moment, moment.utcoffset())


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "1969-12-31", "2101-01-01"])
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidScopeError, match=text):
        parse_moment(text)
