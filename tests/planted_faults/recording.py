"""Faults of the way in: the contract, roots, batches, positions, Kafka, dead letters."""

from typing import Final

from planted_faults.fault import KIT, SERVICE, Fault, tests_of

RECORDING: Final[tuple[Fault, ...]] = (
    Fault(
        "the latest claim of a batch counts, not the earliest",
        SERVICE + "domain/roots.py",
        "claims[job] = claim if earliest is None else min(earliest, claim)",
        "claims[job] = claim if earliest is None else max(earliest, claim)",
        tests_of("unit/domain/test_roots.py"),
    ),
    Fault(
        "the latest declaration of a batch counts, not the earliest",
        SERVICE + "domain/roots.py",
        "declarations[job] = declaration if earliest is None else min(earliest, declaration)",
        "declarations[job] = declaration if earliest is None else max(earliest, declaration)",
        tests_of("unit/domain/test_roots.py"),
    ),
    Fault(
        "a parent conflict is noted where parents agree",
        SERVICE + "domain/roots.py",
        "row.parent_job_id != _named(self.claims[row.job_id])",
        "row.parent_job_id == _named(self.claims[row.job_id])",
        tests_of("unit/domain/test_roots.py"),
    ),
    Fault(
        "a root job's own row is recorded as resolved",
        SERVICE + "domain/roots.py",
        "if origin is Origin.RESOLVED and root == row.job_id:",
        "if origin is Origin.RESOLVED and root != row.job_id:",
        tests_of("unit/domain/test_roots.py"),
    ),
    Fault(
        "a job seen for the first time has nothing recomputed below it",
        SERVICE + "domain/roots.py",
        "if not before.seen or _named(before.claim) != _named(now.claim):",
        "if before.seen and _named(before.claim) != _named(now.claim):",
        tests_of(
            "unit/domain/test_roots.py",
            "test_a_job_of_the_batch_that_was_never_seen_is_changed_and_one_repeated_as_before_is_not",
        ),
    ),
    Fault(
        "a cycle is named from wherever the walk entered it",
        SERVICE + "domain/lineage.py",
        "least = ring.index(min(ring))",
        "least = 0",
        tests_of("unit/domain/test_fold.py"),
    ),
    Fault(
        "times are kept to the microsecond",
        SERVICE + "domain/rows.py",
        "finer = naive.microsecond % 1000",
        "finer = naive.microsecond % 1",
        tests_of("contract/test_rules_of_messages.py"),
    ),
    Fault(
        "an unseen job is kept in the cache",
        SERVICE + "ingest/ingest.py",
        "for job, known in facts.items() if known.seen}",
        "for job, known in facts.items()}",
        tests_of("unit/ingest/test_job_cache.py"),
    ),
    Fault(
        "the last event of an id in a batch wins",
        SERVICE + "ingest/batch.py",
        "if known is None and row.id not in new:",
        "if known is None:",
        tests_of(
            "integration/ingest/test_bad_input_stream.py",
            "test_a_repeated_id_is_a_duplicate_if_equal_and_a_dead_letter_if_not",
        ),
    ),
    Fault(
        "other metadata under one id is taken for a duplicate",
        SERVICE + "ingest/batch.py",
        "if _sorted_json(one) != _sorted_json(other) and not await equality.json_equal(one, other):",
        "if _sorted_json(one) != _sorted_json(other) and await equality.json_equal(one, other):",
        tests_of("contract/test_rules_of_rows.py"),
    ),
    Fault(
        "a refused message is dropped without a dead letter",
        SERVICE + "ingest/batch.py",
        "rejected.append(RejectedRecord(record, DeadLetter(invalid.reason, invalid.sentence)))",
        "del invalid",
        tests_of(
            "integration/ingest/test_bad_input_stream.py",
            "test_each_bad_message_is_one_dead_letter_and_every_neighbour_is_recorded",
        ),
    ),
    Fault(
        "the position stored is that of the last record, not of the next",
        SERVICE + "ingest/ingest.py",
        "{partition: last + 1 for partition, last in lasts.items()}",
        "{partition: last for partition, last in lasts.items()}",
        tests_of("simulation/test_simulation.py"),
    ),
    Fault(
        "an override has nothing recomputed",
        SERVICE + "ingest/ingest.py",
        "{override.job_id for override in decoded.overrides}",
        "set[str]()",
        tests_of(
            "integration/backfill/test_interleaving.py",
            "test_two_writers_never_stay_apart_in_any_order_of_their_steps",
        ),
    ),
    Fault(
        "rows corrected before they were published are not published again",
        SERVICE + "ingest/ingest.py",
        "await _read(rows, self._store.requeue_overtaken, ",
        "await _read([], self._store.requeue_overtaken, ",
        tests_of("simulation/test_simulation.py"),
    ),
    Fault(
        "a database that was set back is recorded on",
        SERVICE + "log/log_store.py",
        "if found < known:",
        "if found < 0:",
        tests_of("integration/ingest/test_restored_database.py"),
    ),
    Fault(
        "reading starts at the higher of the two positions",
        SERVICE + "kafka/consumer/positions.py",
        "max(min(recorded, committed[partition]), beginnings[partition])",
        "max(recorded, committed[partition], beginnings[partition])",
        tests_of(
            "integration/ingest/test_delivery.py",
            "test_a_database_restored_from_a_backup_catches_up_by_itself",
        ),
    ),
    Fault(
        "a late writer moves a position back",
        SERVICE + "log/sql/advance_positions.sql",
        "WHERE p.next_offset < excluded.next_offset",
        "WHERE p.next_offset <> excluded.next_offset",
        tests_of("integration/log/test_positions.py"),
    ),
    Fault(
        "offsets are committed before the batch is published",
        SERVICE + "kafka/consumer/pipeline.py",
        "lambda: self._steps.publish(stored)",
        "lambda: asyncio.gather(self._commit(batch), self._steps.publish(stored))",
        tests_of("unit/kafka/test_batch_delivery.py"),
    ),
    Fault(
        "a wait with a limit never ends",
        SERVICE + "retry.py",
        "            timeout=timeout,\n",
        "            timeout=None,\n",
        tests_of("unit/test_retry.py", "test_a_limit_ends_the_retries_with_the_last_error"),
    ),
    Fault(
        "one message of two dead letters is sent back twice",
        SERVICE + "dead_letters/policy.py",
        "        self._seen.add(digest)\n",
        "",
        tests_of("acceptance/test_dead_letters.py", "test_dead_letters_that_hold_one_message_are_sent_once"),
    ),
    Fault(
        "an event may be as large as a legacy row",
        KIT + "codec.py",
        "if len(value) > MAX_VALUE_BYTES and not is_legacy_row(event):",
        "if len(value) > MAX_LEGACY_ROW_BYTES and not is_legacy_row(event):",
        tests_of("contract/test_rules_of_legacy_rows.py"),
    ),
    Fault(
        "an event is lost at the first error of Kafka",
        KIT + "producer/delivery.py",
        "entry.since < self._limits.keep_trying",
        "entry.since > self._limits.keep_trying",
        tests_of("unit/kit/test_delivery.py", "test_what_kafka_takes_later_is_sent_again"),
    ),
)
