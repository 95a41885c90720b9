"""What must hold at rest: the table, the dead letters and the provenance topic, of what was sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from aiokafka import ConsumerRecord

from chaos.scene import Scene
from harness.log_table import differences, stored_rows
from harness.provenance import as_stored, believed
from harness.topics import Coordinates, by_coordinates, header, read_all
from llamalog_schemas.codec import decode_event
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import Event


class Verdict(NamedTuple):
    """How much there was of everything, and every way in which it is not what it should be."""

    messages: int
    rows: int
    dead_letters: int
    records_published: int
    rows_corrected: int
    differences: list[str]


async def judge(scene: Scene) -> Verdict:
    """Compare everything with what follows from the topic of entity events alone."""
    names, kafka = scene.topics, scene.settings.kafka
    sent = scene.expired + await read_all(kafka, names.entity_events.name)
    valid, bad = judged(sent)
    stored = await stored_rows(scene.pool)
    dead_letters = await read_all(kafka, names.dead_letters.name)
    records = await read_all(kafka, names.provenance.name)
    found = scene.wrong + differences(stored, valid)
    found += differing_dead_letters(bad, dead_letters, _since(scene, names.dead_letters.name))
    newest, expected = believed(record.value for record in records), as_stored(stored)
    since = _since(scene, names.provenance.name)
    for row_id, record in expected.items():
        if newest.get(row_id) != record and (since is None or record.recorded_at >= since):
            found.append(f"provenance of {row_id} is {newest.get(row_id)}, the table has {record}")
    found += [f"provenance of {row_id}, which is no row" for row_id in newest.keys() - expected.keys()]
    return Verdict(
        messages=len(sent),
        rows=len(stored),
        dead_letters=len(bad),
        records_published=len(records),
        rows_corrected=sum(row.revision > 1 for row in stored.values()),
        differences=found,
    )


def _since(scene: Scene, topic: str) -> datetime | None:
    """From when on a topic must be complete: None where it never was deleted."""
    created_again = scene.created_again
    return created_again.at if created_again is not None and created_again.topic == topic else None


def judged(records: Sequence[ConsumerRecord]) -> tuple[list[Event], dict[Coordinates, ConsumerRecord]]:
    """The events that some records are, in the order of the partitions, and the records that are none."""
    events, bad = [], {}
    for record in records:
        try:
            events.append(decode_event(record.value, record.headers))
        except InvalidMessageError:
            bad[record.topic, record.partition, record.offset] = record
    return events, bad


def differing_dead_letters(
    bad: dict[Coordinates, ConsumerRecord],
    dead_letters: Sequence[ConsumerRecord],
    since: datetime | None = None,
) -> list[str]:
    """A line for each bad record without a dead letter byte for byte, and each dead letter of a good record.

    Args:
        since: records sent before are not expected: their dead letters were in a topic that was deleted.
    """
    by_place = by_coordinates(dead_letters)
    expected = {
        place
        for place, record in bad.items()
        if since is None or record.timestamp >= since.timestamp() * 1000
    }
    found = [f"no dead letter of {place}" for place in expected - by_place.keys()]
    found += [f"a dead letter of {place}, which is valid" for place in by_place.keys() - bad.keys()]
    for place in bad.keys() & by_place.keys():
        record = bad[place]
        reason = _reason(record)
        for dead_letter in by_place[place]:
            same = (dead_letter.key, dead_letter.value) == (record.key, record.value)
            if not same or dead_letter.headers[: len(record.headers)] != record.headers:
                found.append(f"the dead letter of {place} is not the message, byte for byte")
            if (header(dead_letter, "reason"), header(dead_letter, "error")) != reason:
                found.append(f"the dead letter of {place} gives another reason than {reason}")
    return sorted(found)


def _reason(record: ConsumerRecord) -> tuple[str, str]:
    try:
        decode_event(record.value, record.headers)
    except InvalidMessageError as invalid:
        return invalid.reason, invalid.sentence
    raise AssertionError("the record is valid")
