"""What must hold of the decode step for any input: a typed reason or an event, and neighbours untouched."""

from dataclasses import replace

from fuzz.inputs import Input
from harness.writers import OVERRIDES, Message
from histories import event
from llamalog_schemas.codec import encode
from llamalog_schemas.errors import InvalidReason
from llamalog_service.backfill.migration_consumer import Commands, read_command
from llamalog_service.domain.rows import content_of
from llamalog_service.ingest.batch import UNAUTHORISED_OVERRIDE, decode_batch
from llamalog_service.kafka.dead_letters import RejectedRecord

_BEFORE, _AFTER = event(1, "before"), event(2, "after")
_NEIGHBOURS = [content_of(_BEFORE), content_of(_AFTER)]


def judge(fuzzed: Input) -> str:
    """What the input is: ``event``, ``override``, ``tombstone`` or the code of the reason why it is none.

    Raises:
        AssertionError: a neighbour suffered, or the input has no typed reason.
        Exception: any error that the decode step raises.
    """
    message = Message(fuzzed.value, 1, headers=fuzzed.headers)
    decoded = decode_batch([Message(encode(_BEFORE)), message, Message(encode(_AFTER), 2)])
    assert [decoded.rows[0], decoded.rows[-1]] == _NEIGHBOURS, "a neighbour is not what it was"
    rows = len(decoded.rows) - len(_NEIGHBOURS)
    found = {
        "event": rows,
        "override": len(decoded.overrides),
        "tombstone": decoded.tombstones,
        "dead letter": len(decoded.rejected),
    }
    assert sorted(found.values()) == [0, 0, 0, 1], f"it is to be one thing: {found}"
    commands, dead_letters = Commands([], []), list[RejectedRecord]()
    read_command(message, commands, dead_letters)
    read = len(commands.recomputes) + len(commands.backfills) + len(dead_letters)
    assert read == (fuzzed.value is not None)
    for record, verdict in decoded.rejected + dead_letters:
        assert record is message
        assert verdict.reason in {*InvalidReason, UNAUTHORISED_OVERRIDE}, (
            f"no reason of ours: {verdict.reason}"
        )
        assert verdict.sentence
    if decoded.rejected and decoded.rejected[0].verdict.reason == UNAUTHORISED_OVERRIDE:
        decoded = decode_batch([replace(message, topic=OVERRIDES)])
        assert len(decoded.overrides) == 1
        return "override"
    if decoded.rejected:
        return decoded.rejected[0].verdict.reason
    return next(kind for kind, number in found.items() if number)
