"""A portion of the topic as the shadow takes it: decoded as live."""

from collections import Counter

from llamalog_service.ingest.batch import decode_batch
from llamalog_service.kafka.topic_history import Portion
from llamalog_service.rebuild.shadow import Place, Told


def told_by(portion: Portion) -> Told:
    """Decode a portion; what is invalid is counted and left out, as it is live."""
    decoded = decode_batch(portion.records)
    return Told(
        rows=decoded.rows,
        places=[Place(record.partition, record.offset) for record in decoded.records],
        overrides=decoded.overrides,
        override_places=[Place(record.partition, record.offset) for record in decoded.override_records],
        reached=portion.reached,
        messages=Counter([record.partition for record in portion.records]),
        dead_letters=Counter([letter.record.partition for letter in decoded.rejected]),
        tombstones=Counter([record.partition for record in portion.records if record.value is None]),
    )
