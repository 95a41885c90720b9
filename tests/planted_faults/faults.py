"""The list of faults: each is a slip that a person could make, and the tests that have to catch it."""

from typing import Final, NamedTuple


class Fault(NamedTuple):
    """A slip to be planted.

    Attributes:
        name: the slip in a few words.
        file: of the checkout.
        old: a text that the file holds exactly once.
        new: the text in its place.
        tests: paths or node ids of pytest; at least one of these tests has to fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


_S = "service/src/llamalog_service/"
_ROOTS = ("tests/unit/domain/test_roots.py",)
_FOLD = ("tests/unit/domain/test_fold.py", "tests/unit/adoption/test_legacy_oracle.py")
_ORDERS = ("tests/integration/backfill/test_interleaving.py",)
_HISTORIES = ("tests/integration/backfill/test_histories.py",)
_SWEEPS = ("tests/integration/backfill/test_sweeps.py",)
_PLANS = ("tests/integration/backfill/test_backfills.py", "tests/integration/backfill/test_backfill_runs.py")
_TRAFFIC = ("tests/integration/backfill/test_backfill_traffic.py",)
_QUERIES = ("tests/integration/queries", "tests/integration/http/test_pages.py")
_DELIVERY = ("tests/integration/ingest/test_delivery.py",)
_BAD_INPUT = ("tests/integration/ingest/test_bad_input_stream.py",)
_DEAD_LETTERS = ("tests/acceptance/test_dead_letters.py",)

FAULTS: Final[tuple[Fault, ...]] = (
    # The rule of roots.
    Fault(
        "the latest claim of a batch counts, not the earliest",
        _S + "domain/roots.py",
        "self.claims[job] = min(self.claims[job] or claim, claim)",
        "self.claims[job] = max(self.claims[job] or claim, claim)",
        _ROOTS,
    ),
    Fault(
        "the latest declaration of a batch counts, not the earliest",
        _S + "domain/roots.py",
        "self.declarations[job] = min(self.declarations[job] or declaration, declaration)",
        "self.declarations[job] = max(self.declarations[job] or declaration, declaration)",
        _ROOTS,
    ),
    Fault(
        "a parent conflict is noted where parents agree",
        _S + "domain/roots.py",
        "row.parent_job_id != _named(self.claims[row.job_id])",
        "row.parent_job_id == _named(self.claims[row.job_id])",
        _ROOTS,
    ),
    Fault(
        "a root job's own row is told as resolved",
        _S + "domain/roots.py",
        "if origin is Origin.RESOLVED and root == row.job_id:",
        "if origin is Origin.RESOLVED and root != row.job_id:",
        _ROOTS,
    ),
    Fault(
        "a job seen for the first time has nothing recomputed below it",
        _S + "domain/roots.py",
        "if not before.seen or _named(before.claim) != _named(now.claim):",
        "if before.seen and _named(before.claim) != _named(now.claim):",
        _ORDERS,
    ),
    Fault(
        "a cycle is named from wherever the walk entered it",
        _S + "domain/lineage.py",
        "least = ring.index(min(ring))",
        "least = 0",
        _FOLD,
    ),
    Fault(
        "times are kept to the microsecond",
        _S + "domain/rows.py",
        "finer = naive.microsecond % 1000",
        "finer = naive.microsecond % 1",
        ("tests/contract/test_mutated_input.py",),
    ),
    # Ingest.
    Fault(
        "an unseen job is kept in the cache",
        _S + "ingest/ingest.py",
        "            if known.seen:",
        "            if True:",
        ("tests/unit/ingest/test_job_cache.py",),
    ),
    Fault(
        "the last event of an id in a batch wins",
        _S + "ingest/batch.py",
        "if known is None and row.id not in new:",
        "if known is None:",
        ("tests/integration/log/test_conflicts.py", *_BAD_INPUT),
    ),
    Fault(
        "other metadata under one id is taken for a duplicate",
        _S + "ingest/batch.py",
        "if _sorted_json(one) != _sorted_json(other) and not await equality.json_equal(one, other):",
        "if _sorted_json(one) != _sorted_json(other) and await equality.json_equal(one, other):",
        _BAD_INPUT,
    ),
    Fault(
        "a refused message is dropped without a dead letter",
        _S + "ingest/batch.py",
        "rejected.append(RejectedRecord(record, DeadLetter(invalid.reason, invalid.sentence)))",
        "del invalid",
        ("tests/contract/test_fuzz.py", "tests/integration/ingest/test_bad_input_stream.py"),
    ),
    Fault(
        "the position stored is that of the last record, not of the next",
        _S + "ingest/ingest.py",
        "{partition: last + 1 for partition, last in lasts.items()}",
        "{partition: last for partition, last in lasts.items()}",
        ("tests/simulation/test_simulation.py", *_DELIVERY),
    ),
    Fault(
        "an override has nothing recomputed",
        _S + "ingest/ingest.py",
        "{override.job_id for override in decoded.overrides}",
        "set[str]()",
        _ORDERS,
    ),
    Fault(
        "rows corrected before they were published are not published again",
        _S + "ingest/ingest.py",
        "await self._store.requeue_overtaken(rows)",
        "await self._store.requeue_overtaken([])",
        _HISTORIES + _ORDERS,
    ),
    Fault(
        "a database that was set back is recorded on",
        _S + "log/log_store.py",
        "if found < known:",
        "if found < 0:",
        ("tests/integration/adoption/test_going_back.py",),
    ),
    Fault(
        "reading starts at the higher of the two positions",
        _S + "kafka/consumer/positions.py",
        "max(min(recorded, committed[partition]), beginnings[partition])",
        "max(recorded, committed[partition], beginnings[partition])",
        _DELIVERY,
    ),
    # SQL of the log.
    Fault(
        "a late writer moves a position back",
        _S + "log/sql/advance_positions.sql",
        "WHERE p.next_offset < excluded.next_offset",
        "WHERE p.next_offset <> excluded.next_offset",
        ("tests/simulation/test_simulation.py", *_DELIVERY),
    ),
    Fault(
        "the look after the commit misses children",
        _S + "log/sql/stale_jobs.sql",
        "WHERE l.parent_job_id = e.job",
        "WHERE l.parent_job_id = e.parent",
        _ORDERS,
    ),
    Fault(
        "the earliest override counts",
        _S + "log/sql/job_facts.sql",
        "ORDER BY d.decreed_at DESC, d.id DESC",
        "ORDER BY d.decreed_at, d.id",
        _HISTORIES,
    ),
    Fault(
        "a correction does not raise the revision",
        _S + "log/sql/recompute_write.sql",
        "revision = l.revision + 1",
        "revision = l.revision",
        _ORDERS,
    ),
    Fault(
        "a correction is not noted in the outbox",
        _S + "log/sql/recompute_write.sql",
        "SELECT id, revision FROM changed\n), kept AS (",
        "SELECT id, revision FROM changed WHERE false\n), kept AS (",
        _ORDERS,
    ),
    Fault(
        "a correction from an unknown root is not written",
        _S + "log/sql/recompute_write.sql",
        "IS DISTINCT FROM (x.root_job_id, x.origin, x.cycle_members, x.parent_conflict)",
        "<> (x.root_job_id, x.origin, x.cycle_members, x.parent_conflict)",
        _ORDERS,
    ),
    Fault(
        "a declaration further down does not count in a recompute",
        _S + "log/sql/recompute_ends.sql",
        "coalesce(child.declared, w.root)",
        "coalesce(w.root, child.declared)",
        _HISTORIES + _ORDERS + ("tests/integration/log",),
    ),
    Fault(
        "a recompute leaves out what is below",
        _S + "log/sql/recompute_scope.sql",
        "WHERE l.parent_job_id = b.job AND l.job_id IS NOT NULL",
        "WHERE l.parent_job_id = b.job AND l.job_id IS NULL",
        _ORDERS,
    ),
    Fault(
        "a correction made while an older one was published is struck out",
        _S + "log/sql/outbox_delete.sql",
        "AND o.revision <= told.revision",
        "AND o.revision >= told.revision",
        _ORDERS + _SWEEPS,
    ),
    Fault(
        "a parent that is overruled is not kept aside",
        _S + "log/sql/normalise_external_parents.sql",
        "SELECT id, parent_job_id FROM overruled",
        "SELECT id, parent_job_id FROM overruled WHERE false",
        ("tests/integration/adoption/test_legacy_roots.py",),
    ),
    Fault(
        "the index of root jobs is missing",
        "migrations/versions/0009_questions.py",
        """Index("llama_logs_roots_idx", "created_at", where="origin IN ('ROOT', 'ADOPTED')", exact=True),""",
        "",
        ("tests/integration/postgres/test_plans.py", "tests/integration/adoption/test_migrations.py"),
    ),
    # Queries and pages.
    Fault(
        "a page from a moment on leaves out the moment",
        _S + "queries/paging.py",
        "begins - timedelta(microseconds=1)",
        "begins - timedelta(microseconds=0)",
        _QUERIES,
    ),
    Fault(
        "rows of one moment are lost at the end of a page",
        _S + "queries/sql/logs_page.sql",
        "WHERE (l.created_at, l.id) {behind} ($1::text::timestamp, $2::uuid)",
        "WHERE l.created_at {behind} $1::text::timestamp AND $2::uuid IS NOT NULL",
        _QUERIES,
    ),
    Fault(
        "a wildcard that was typed is one",
        _S + "queries/logs.py",
        """.replace("%", "\\\\%").replace("_", "\\\\_")""",
        "",
        (*_QUERIES, "tests/integration/http/test_api.py", "tests/integration/http/test_ui_pages.py"),
    ),
    Fault(
        "a conflict is shown at the end of a page and at the start of the next",
        _S + "queries/sql/conflicts_of_parents.sql",
        "WHERE (l.created_at, l.id) > ($1::text::timestamp, $2::uuid)",
        "WHERE (l.created_at, l.id) >= ($1::text::timestamp, $2::uuid)",
        _QUERIES,
    ),
    Fault(
        "a root job is listed by its last row",
        _S + "queries/sql/root_jobs.sql",
        "e.origin = 'ROOT' AND (e.created_at, e.id) < (l.created_at, l.id)",
        "e.origin = 'ROOT' AND (e.created_at, e.id) > (l.created_at, l.id)",
        _QUERIES,
    ),
    Fault(
        "control characters reach the terminal",
        _S + "telemetry/logging.py",
        "character if character.isprintable() or character in keep",
        "character if character.isprintable() or character not in keep",
        ("tests/unit/http/test_timeline_tree.py", "tests/unit/telemetry/test_logs.py"),
    ),
    Fault(
        "every token may do everything",
        _S + "http/access.py",
        "return self.scope >= scope",
        "return self.scope >= Scope.READ",
        ("tests/unit/http/test_api_tokens.py", "tests/integration/http/test_api_access.py"),
    ),
    # Backfill.
    Fault(
        "a backfill overwrites a later correction",
        _S + "backfill/sql/plan_apply.sql",
        "WHERE l.id = b.row_id AND l.revision = b.revision\n    RETURNING",
        "WHERE l.id = b.row_id\n    RETURNING",
        _TRAFFIC + _PLANS,
    ),
    Fault(
        "a backfill writes the last row of each batch twice",
        _S + "backfill/sql/plan_apply.sql",
        "WHERE p.position > $1 AND p.differs",
        "WHERE p.position >= $1 AND p.differs",
        _PLANS,
    ),
    Fault(
        "a paused backfill goes on",
        _S + "backfill/sql/backfill_claim.sql",
        "WHERE r.id = next.id AND next.status <> 'paused'",
        "WHERE r.id = next.id",
        _PLANS,
    ),
    Fault(
        "the limit of rows a second is ignored",
        _S + "backfill/batches.py",
        "return max(0.0, self._rows / self._rate - (self._clock() - self._began))",
        "return 0.0",
        _PLANS + _TRAFFIC,
    ),
    Fault(
        "batches do not shrink when rows are locked",
        _S + "backfill/batches.py",
        "self.size = max(1, self.size // 2)",
        "self.size = max(1, self.size)",
        _TRAFFIC + _PLANS,
    ),
    Fault(
        "two workers work at once",
        _S + "postgres/locks.py",
        '"SELECT pg_try_advisory_lock($1)"',
        '"SELECT $1::bigint IS NOT NULL"',
        (*_PLANS, "tests/integration/backfill/test_supervised_tasks.py"),
    ),
    Fault(
        "the full sweep never comes",
        _S + "backfill/repairs.py",
        "if now >= self._next_full:",
        "if now < 0:",
        _SWEEPS,
    ),
    # Kafka, waiting, dead letters, rebuild.
    Fault(
        "offsets are committed before the batch is published",
        _S + "kafka/consumer/pipeline.py",
        "lambda: self._steps.publish(stored)",
        "lambda: asyncio.gather(self._commit(batch), self._steps.publish(stored))",
        ("tests/unit/kafka/test_batch_delivery.py", "tests/integration/ingest/test_batch_delivery.py"),
    ),
    Fault(
        "a wait with a limit never ends",
        _S + "retry.py",
        "            timeout=timeout,\n",
        "            timeout=None,\n",
        ("tests/integration/http/test_api_outages.py", "tests/acceptance/test_cli_errors.py"),
    ),
    Fault(
        "one message of two dead letters is sent back twice",
        _S + "dead_letters/policy.py",
        "        self._seen.add(digest)\n",
        "",
        _DEAD_LETTERS,
    ),
    Fault(
        "a rebuild compares no contents",
        _S + "rebuild/sql/compare_rows.sql",
        "WHERE (l.id IS NULL OR r.id IS NULL OR l::record IS DISTINCT FROM r::record)",
        "WHERE (l.id IS NULL OR r.id IS NULL)",
        ("tests/integration/rebuild/test_rebuild.py",),
    ),
)
