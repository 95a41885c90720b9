"""Faults of corrections: recompute, sweep, backfill, rebuild, archive, migrations."""

from typing import Final

from planted_faults.fault import SERVICE, Fault, tests_of

REPAIRING: Final[tuple[Fault, ...]] = (
    Fault(
        "a repair leaves producers out",
        SERVICE + "rebuild/sql/repair_content.sql",
        "producer_id = p.id, traceparent",
        "traceparent",
        tests_of(
            "integration/rebuild/test_rebuilt_producers.py",
            "test_a_missing_producer_is_a_difference_that_a_repair_fills",
        ),
    ),
    Fault(
        "the look after the commit misses children",
        SERVICE + "log/sql/stale_jobs.sql",
        "WHERE {l names e.job}",
        "WHERE {l names e.parent}",
        tests_of(
            "integration/backfill/test_interleaving.py",
            "test_two_writers_never_stay_apart_in_any_order_of_their_steps",
        ),
    ),
    Fault(
        "an upgrade takes overrides of the event topic for those of their own",
        "migrations/versions/0015_overrides_topic.py",
        'op.execute("UPDATE root_overrides SET is_sourced = false WHERE is_sourced")',
        "pass",
        tests_of("integration/adoption/test_overrides_moved.py"),
    ),
    Fault(
        "the earliest override counts",
        SERVICE + "log/sql/job_facts.sql",
        "ORDER BY d.overridden_at DESC, d.id DESC",
        "ORDER BY d.overridden_at, d.id",
        tests_of("integration/log/test_overrides_of_jobs.py"),
    ),
    Fault(
        "a correction does not raise the revision",
        SERVICE + "log/sql/fragments/correction.sql",
        "revision = {next_revision}",
        "revision = l.revision",
        tests_of(
            "integration/backfill/test_interleaving.py",
            "test_two_writers_never_stay_apart_in_any_order_of_their_steps",
        ),
    ),
    Fault(
        "a row put in again after its removal begins at its first revision",
        SERVICE + "log/sql/fragments/next_revision.sql",
        "greatest(l.revision, (SELECT",
        "greatest(l.revision, 0 * (SELECT",
        tests_of("integration/rebuild/test_rows_that_come_back.py"),
    ),
    Fault(
        "a page of the outbox is as large as its rows are",
        SERVICE + "log/sql/rows_within.sql",
        "WHERE l.number = 1 OR l.upto <= $3::bigint",
        "WHERE true OR l.upto <= $3::bigint",
        tests_of("integration/backfill/test_large_corrections.py"),
    ),
    Fault(
        "a correction is not noted in the outbox",
        SERVICE + "log/sql/fragments/correction.sql",
        "    FROM changed\n), known AS (",
        "    FROM changed WHERE false\n), known AS (",
        tests_of(
            "integration/backfill/test_interleaving.py",
            "test_two_writers_never_stay_apart_in_any_order_of_their_steps",
        ),
    ),
    Fault(
        "an entry of the history has what the row became in place of what it had",
        SERVICE + "log/sql/fragments/remember.sql",
        "n.id, k.root_now, k.origin_now, k.root_job_id",
        "n.id, k.root_job_id, k.origin_now, k.root_job_id",
        tests_of("integration/log/test_root_history.py"),
    ),
    Fault(
        "a first origin is not noted on the row",
        SERVICE + "log/sql/fragments/settled_by.sql",
        "THEN (SELECT id FROM new_correction)",
        "THEN l.settled_by",
        tests_of("integration/log/test_root_history.py"),
    ),
    Fault(
        "a row of another writer, which has no origin, is not corrected",
        SERVICE + "log/sql/fragments/differing_rows.sql",
        "IS DISTINCT FROM (x.root_job_id, x.origin, x.cycle_members, x.parent_conflict)",
        "<> (x.root_job_id, x.origin, x.cycle_members, x.parent_conflict)",
        tests_of(
            "integration/backfill/test_sweeps.py",
            "test_rows_that_another_writer_put_in_without_an_origin_are_given_one",
        ),
    ),
    Fault(
        "a declaration further down does not count in a recompute",
        SERVICE + "log/sql/fragments/step_down.sql",
        "coalesce(child.declared, w.root)",
        "coalesce(w.root, child.declared)",
        tests_of(
            "integration/backfill/test_few_corrections.py",
            "test_of_several_declarations_below_an_unseen_top_the_nearest_counts",
        ),
    ),
    Fault(
        "a recompute leaves out what is below",
        SERVICE + "log/sql/fragments/children.sql",
        "WHERE {l names b.job} AND l.job_id IS NOT NULL",
        "WHERE {l names b.job} AND l.job_id IS NULL",
        tests_of(
            "integration/backfill/test_sweeps.py",
            "test_the_cheap_sweep_finds_late_parents_whose_command_was_lost",
        ),
    ),
    Fault(
        "an older record that comes after a later one of another process stays the last",
        SERVICE + "log/sql/outbox_settle.sql",
        "FROM doubtful WHERE current > revision",
        "FROM doubtful WHERE current < revision",
        tests_of(
            "integration/backfill/test_publication_order.py",
            "test_a_correction_in_hand_comes_before_a_later_one_of_another_process",
        ),
    ),
    Fault(
        "a record that comes after the tombstone of its row stays the last",
        SERVICE + "log/sql/outbox_settle.sql",
        "WHERE r.row_id = ANY ($1::uuid[]) AND NOT EXISTS",
        "WHERE r.row_id = ANY ($1::uuid[]) AND EXISTS",
        tests_of(
            "integration/backfill/test_publication_order.py",
            "test_a_record_that_is_republished_comes_before_the_tombstone_of_its_row",
        ),
    ),
    Fault(
        "an entry is deleted though an older record was published since it was read",
        SERVICE + "log/sql/outbox_settle.sql",
        "AND age(o.xmin) > age($3::xid)",
        "AND age(o.xmin) IS DISTINCT FROM age($3::xid) + 1000000",
        tests_of(
            "integration/backfill/test_publication_order.py",
            "test_an_older_record_that_comes_before_a_correction_is_noted_as_published_comes_before_it",
        ),
    ),
    Fault(
        "a parent that is overruled is not kept aside",
        SERVICE + "log/sql/normalise_external_parents.sql",
        "SELECT row_id, parent_job_id FROM overruled",
        "SELECT row_id, parent_job_id FROM overruled WHERE false",
        tests_of(
            "integration/backfill/test_sweeps.py",
            "test_a_foreign_root_job_makes_no_claim_and_its_own_values_are_kept_aside",
        ),
    ),
    Fault(
        "the index of root jobs is missing",
        "migrations/versions/0009_questions.py",
        """Index("llama_logs_roots_idx", "created_at", where="origin IN ('ROOT', 'ADOPTED')", exact=True),""",
        "",
        tests_of(
            "integration/adoption/test_migrations.py",
            "test_the_log_has_the_indexes_that_its_queries_need_and_no_other",
        ),
    ),
    Fault(
        "a backfill overwrites a later correction",
        SERVICE + "backfill/sql/plan_apply.sql",
        "WHERE l.id = b.row_id AND l.revision = b.revision\n    RETURNING",
        "WHERE l.id = b.row_id\n    RETURNING",
        tests_of(
            "integration/backfill/test_backfills.py",
            "test_rows_that_a_repair_corrects_or_another_session_removes_meanwhile_are_reported_apart",
        ),
    ),
    Fault(
        "a backfill leaves out the first row of each batch",
        SERVICE + "backfill/sql/plan_rows.sql",
        "WHERE p.position > $1 AND p.differs",
        "WHERE p.position > $1 + 1 AND p.differs",
        tests_of(
            "integration/backfill/test_backfills.py",
            "test_every_row_gets_what_the_rule_gives_it_and_is_published",
            "test_the_report_adds_up_and_names_the_cycles",
        ),
    ),
    Fault(
        "a paused backfill goes on",
        SERVICE + "backfill/sql/backfill_claim.sql",
        "WHERE r.id = next.id AND next.status <> 'paused'",
        "WHERE r.id = next.id",
        tests_of(
            "integration/backfill/test_backfill_runs.py",
            "test_while_a_backfill_that_was_begun_is_paused_the_next_one_waits",
        ),
    ),
    Fault(
        "the limit of rows a second is ignored",
        SERVICE + "backfill/batches.py",
        "return max(0.0, self._rows / self._rate - (self._clock() - self._began))",
        "return 0.0",
        tests_of("integration/backfill/test_backfills.py", "test_a_rate_limit_lets_batches_rest"),
    ),
    Fault(
        "batches do not shrink when rows are locked",
        SERVICE + "backfill/batches.py",
        "self.size = max(1, self.size // 2)",
        "self.size = max(1, self.size)",
        tests_of(
            "integration/backfill/test_backfills.py",
            "test_locked_rows_make_the_batches_smaller_until_they_are_free_again",
        ),
    ),
    Fault(
        "two workers work at once",
        SERVICE + "postgres/locks.py",
        '"SELECT pg_try_advisory_lock($1)"',
        '"SELECT $1::bigint IS NOT NULL"',
        tests_of("integration/postgres/test_session_locks.py"),
    ),
    Fault(
        "the full sweep never comes",
        SERVICE + "backfill/recomputes.py",
        "is_full = now >= self._next_full",
        "is_full = now < 0",
        tests_of("unit/backfill/test_sweep.py"),
    ),
    Fault(
        "a rebuild compares no contents",
        SERVICE + "rebuild/sql/compare_rows.sql",
        "WHERE (l.id IS NULL OR r.id IS NULL OR l::record IS DISTINCT FROM r::record)",
        "WHERE (l.id IS NULL OR r.id IS NULL)",
        tests_of("integration/rebuild/test_rebuild.py", "test_exactly_the_tampered_rows_are_named"),
    ),
    Fault(
        "a rebuild compares as of the group that is furthest behind",
        SERVICE + "rebuild/sql/live_positions.sql",
        "max(next_offset)",
        "min(next_offset)",
        tests_of(
            "integration/rebuild/test_consumer_groups.py",
            "test_valid_rows_are_neither_called_extra_nor_removed",
        ),
    ),
    Fault(
        "a row that a repair deletes is not archived",
        SERVICE + "rebuild/sql/repair_extra.sql",
        "SELECT id, content FROM removed",
        "SELECT id, content FROM removed WHERE false",
        tests_of(
            "integration/rebuild/test_refusals.py",
            "test_a_row_without_an_event_is_archived_and_tombstoned_when_it_is_deleted",
        ),
    ),
    Fault(
        "a segment is taken for whole by its number of messages alone",
        SERVICE + "rebuild/archive/segments.py",
        'if line["sha256"] != digest.hexdigest() or line["records"] != records:',
        'if line["sha256"] != digest.hexdigest() and line["records"] != records:',
        tests_of("integration/rebuild/test_archives.py", "test_a_damaged_segment_is_refused_with_its_line"),
    ),
    Fault(
        "the last segments of a partition are not missed",
        SERVICE + "rebuild/archive/archive.py",
        "if span.end < end:",
        "if span.end < 0:",
        tests_of(
            "integration/rebuild/test_archives.py",
            "test_a_partition_that_lost_its_last_segment_or_all_is_refused_until_it_is_archived_again",
        ),
    ),
    Fault(
        "a moved position passes over the message that was next",
        SERVICE + "kafka/topic_copy.py",
        "while self._wanted and self._wanted[-1] <= offset:",
        "while self._wanted and self._wanted[-1] < offset:",
        tests_of(
            "integration/kafka/test_topic_copy.py",
            "test_a_copy_holds_the_committed_messages_as_they_are_but_for_the_change",
        ),
    ),
    Fault(
        "the way down does not know which columns were NOT NULL",
        "migrations/versions/0006_legacy_values.py",
        '{column} DROP NOT NULL", note(DROPPED_NOT_NULL, column))',
        '{column} DROP NOT NULL")',
        tests_of("integration/adoption/test_old_tables.py", "test_the_way_down_restores_what_stood"),
    ),
)
