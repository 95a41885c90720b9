"""Commands that are none, and the reason with which each is refused."""

import pytest

from contract.golden_payloads import load
from contract.test_bad_input import nested
from llamalog_schemas import InvalidMessageError, InvalidReason, decode_command

GOOD = load("entity-created/v1/full").value
COMMAND = load("recompute-roots/v1/minimal")
BACKFILL = load("backfill-roots/v1/full")
WINDOW = load("backfill-roots/v1/window")
PAUSE = load("pause-backfill/v1/minimal")
BAD_COMMANDS: dict[str, tuple[InvalidReason, bytes]] = {
    "an id that is no UUID": (
        InvalidReason.BAD_ENVELOPE,
        COMMAND.value.replace(COMMAND.structured["id"].encode(), b"run-1"),
    ),
    "no jobs": (InvalidReason.BAD_FIELD, COMMAND.value.replace(b'"enrich-42"', b"")),
    "NUL in a job": (InvalidReason.NUL_CHARACTER, COMMAND.value.replace(b"enrich-42", rb"\u0000")),
    "a scope of an unknown kind": (
        InvalidReason.BAD_FIELD,
        BACKFILL.value.replace(b'"everything"', b'"all"'),
    ),
    "a window that ends before it begins": (
        InvalidReason.BAD_FIELD,
        WINDOW.value.replace(b"2026-02-11", b"2026-02-09"),
    ),
    "a window that begins before the year 1 in UTC": (
        InvalidReason.BAD_FIELD,
        WINDOW.value.replace(
            WINDOW.structured["data"]["scope"]["from"].encode(), b"0001-01-01T00:00:00+14:00"
        ),
    ),
    "batches of no rows": (InvalidReason.NUMBER_OUT_OF_RANGE, BACKFILL.value.replace(b"5000", b"0")),
    "a misspelt class": (InvalidReason.UNKNOWN_FIELD, BACKFILL.value.replace(b'"roots"', b'"root"')),
    "NUL in requestedBy": (InvalidReason.NUL_CHARACTER, BACKFILL.value.replace(b'"ann"', rb'"\u0000"')),
    "a pause of no run": (
        InvalidReason.BAD_FIELD,
        PAUSE.value.replace(PAUSE.structured["data"]["run"].encode(), b"run-1"),
    ),
    "an event": (InvalidReason.UNKNOWN_TYPE, GOOD),
    "20,000 levels": (InvalidReason.TOO_DEEP, nested(20_000).encode()),
}


@pytest.mark.parametrize("kind", BAD_COMMANDS)
def test_a_bad_command_is_refused_with_its_reason(kind: str) -> None:
    reason, value = BAD_COMMANDS[kind]
    with pytest.raises(InvalidMessageError) as refusal:
        decode_command(value)
    assert refusal.value.reason is reason
