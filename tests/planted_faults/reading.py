"""Faults of the ways out: queries, pages, access, the live feed, the kit's consumer."""

from typing import Final

from planted_faults.fault import KIT, SERVICE, Fault, tests_of

READING: Final[tuple[Fault, ...]] = (
    Fault(
        "a page from a moment on leaves out the moment",
        SERVICE + "queries/paging.py",
        "begins - timedelta(microseconds=1)",
        "begins - timedelta(microseconds=0)",
        tests_of(
            "integration/queries/test_questions_of_rows.py",
            "test_logs_are_the_rows_for_which_all_filters_hold",
        ),
    ),
    Fault(
        "rows of one moment are lost at the end of a page",
        SERVICE + "queries/sql/logs_page.sql",
        "WHERE (l.created_at, l.id) {behind} ($1::text::timestamp, $2::uuid)",
        "WHERE l.created_at {behind} $1::text::timestamp AND $2::uuid IS NOT NULL",
        tests_of(
            "integration/http/test_pages.py",
            "test_pages_neither_repeat_nor_lose_rows_that_were_there_all_the_time",
        ),
    ),
    Fault(
        "a wildcard that was typed is one",
        SERVICE + "queries/logs.py",
        '.replace("%", "\\\\%").replace("_", "\\\\_")',
        "",
        tests_of(
            "integration/queries/test_questions_of_rows.py",
            "test_logs_are_the_rows_for_which_all_filters_hold",
        ),
    ),
    Fault(
        "a conflict is shown at the end of a page and at the start of the next",
        SERVICE + "queries/sql/conflicts_of_parents.sql",
        "WHERE (l.created_at, l.id) > ($1::text::timestamp, $2::uuid)",
        "WHERE (l.created_at, l.id) >= ($1::text::timestamp, $2::uuid)",
        tests_of(
            "integration/http/test_pages.py",
            "test_pages_neither_repeat_nor_lose_rows_that_were_there_all_the_time",
        )
        + tests_of("integration/queries/test_conflicts.py", "test_a_list_goes_on_behind_its_last_entry"),
    ),
    Fault(
        "a root job is listed by its last row",
        SERVICE + "queries/sql/root_jobs.sql",
        "e.origin = 'ROOT' AND (e.created_at, e.id) < (l.created_at, l.id)",
        "e.origin = 'ROOT' AND (e.created_at, e.id) > (l.created_at, l.id)",
        tests_of("integration/queries/test_root_jobs.py"),
    ),
    Fault(
        "rows recorded later are shown as of a time",
        SERVICE + "queries/sql/roots_as_of.sql",
        "WHERE l.id = wanted.id AND l.recorded_at <= (SELECT m.at FROM moment m)",
        "WHERE l.id = wanted.id AND l.recorded_at IS NOT NULL",
        tests_of("integration/queries/test_as_of.py"),
    ),
    Fault(
        "the first change of a row counts, not the first after the time",
        SERVICE + "queries/sql/fragments/then.sql",
        "WHERE h.row_id = l.id AND c.changed_at > (SELECT m.at FROM moment m)",
        "WHERE h.row_id = l.id AND c.changed_at IS NOT NULL",
        tests_of("integration/queries/test_as_of.py"),
    ),
    Fault(
        "control characters reach the terminal",
        SERVICE + "telemetry/logging.py",
        "character if character.isprintable() or character in keep",
        "character if character.isprintable() or character not in keep",
        tests_of(
            "unit/queries/test_timeline_tree.py",
            "test_values_of_producers_cannot_steer_the_terminal_or_the_markup",
        ),
    ),
    Fault(
        "every token may do everything",
        SERVICE + "http/access.py",
        "return self.scope >= scope",
        "return self.scope >= Scope.READ",
        tests_of(
            "integration/http/test_api_access.py", "test_a_principal_that_may_only_read_changes_nothing"
        ),
    ),
    Fault(
        "a revision that was shown is shown again",
        SERVICE + "live_feed/following.py",
        "if row.revision <= known:",
        "if row.revision < known:",
        tests_of(
            "integration/live_feed/test_live_rows.py",
            "test_a_revision_is_shown_once_and_none_after_a_newer_one",
        ),
    ),
    Fault(
        "a listener that comes back receives its last row again",
        SERVICE + "live_feed/feed.py",
        "return int(number) + 1 if int(number) < self._next else None",
        "return int(number) if int(number) < self._next else None",
        tests_of("unit/live_feed/test_feed.py"),
    ),
    Fault(
        "a page of dead letters is as large as they are",
        SERVICE + "dead_letters/listing.py",
        "(self._bytes > MAX_BYTES and len(self._found) > 1)",
        "False",
        tests_of("unit/dead_letters/test_listing.py"),
    ),
    Fault(
        "a change that another site sends is done",
        SERVICE + "http/middleware.py",
        'if not _is_of(origin, host) or headers.get("sec-fetch-site", "none")',
        'if not _is_of(origin, host) and headers.get("sec-fetch-site", "none")',
        tests_of("integration/http/test_api_access.py", "test_what_another_site_sends_is_refused"),
    ),
    Fault(
        "an older revision of a row is an update",
        KIT + "consumer/updates.py",
        "before is None or row.revision > before",
        "before is None or row.revision != before",
        tests_of("unit/kit/test_deduplication.py"),
    ),
    Fault(
        "a row that is recorded again after its removal is no update",
        KIT + "consumer/updates.py",
        "known[row_id] = revision",
        "known[row_id] = max(revision, before or 0)",
        tests_of("unit/kit/test_deduplication.py"),
    ),
)
