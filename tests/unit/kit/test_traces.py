"""An event bears the trace in which it was made, or the one that its caller names."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from sqlalchemy import MetaData, create_engine, select

from llamalog_schemas import InvalidMessageError, decode_event
from llamalog_schemas.producer import Attempt, EventFactory, InMemoryTransport, LlamaLogger
from llamalog_schemas.producer.outbox import Outbox

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
CURRENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NAMED = "00-00000000000000000000000000000abc-0000000000000def-00"
SAMPLED = NonRecordingSpan(SpanContext(TRACE, SPAN, is_remote=False, trace_flags=TraceFlags(1)))
MALFORMED: list[Any] = [
    "",
    CURRENT.upper(),
    CURRENT[:-1],
    "00-" + "0" * 32 + CURRENT[35:],
    7,
    CURRENT.encode(),
]

Emit = Callable[..., Awaitable[Any]]
EMITTERS: dict[str, Callable[[LlamaLogger], Emit]] = {
    "created": lambda log: lambda **more: log.created("ALBUM", uuid4(), operation="album:created", **more),
    "linked": lambda log: lambda **more: log.linked("ALBUM", uuid4(), operation="album:linked", **more),
    "enriched": lambda log: lambda **more: log.enriched("ALBUM", uuid4(), operation="enrichment:a", **more),
    "corrected": lambda log: lambda **more: log.corrected("ALBUM", uuid4(), operation="corrected", **more),
    "cached": lambda log: lambda **more: log.cached("ALBUM", uuid4(), operation="cache:a", **more),
    "failed": lambda log: lambda **more: log.failed("ALBUM", operation="album:created", **more),
    "created_or_linked, created": lambda log: (
        lambda **more: log.created_or_linked("ALBUM", uuid4(), existing=None, operation="a:created", **more)
    ),
    "created_or_linked, linked": lambda log: (
        lambda **more: log.created_or_linked("ALBUM", existing=uuid4(), operation="a:created", **more)
    ),
}


@pytest.fixture
def memory() -> InMemoryTransport:
    return InMemoryTransport()


@pytest.fixture
def log(memory: InMemoryTransport) -> LlamaLogger:
    return LlamaLogger(memory, source="/tests", strict=True)


def traces(memory: InMemoryTransport) -> list[str | None]:
    """Those that the service will read."""
    return [decode_event(message.value).traceparent for message in memory.messages]  # type: ignore[union-attr]


@pytest.mark.parametrize("emitter", EMITTERS)
async def test_every_emitter_writes_the_current_span_unless_one_is_named(
    emitter: str, memory: InMemoryTransport, log: LlamaLogger
) -> None:
    emit = EMITTERS[emitter](log)
    await emit()
    with trace.use_span(SAMPLED):
        await emit()
        await emit(traceparent=NAMED)
    await emit(traceparent=NAMED)
    assert traces(memory) == [None, CURRENT, NAMED, NAMED]


@pytest.mark.parametrize("details", [{}, {"traceparent": NAMED}])
async def test_the_failure_of_a_job_bears_the_trace_of_its_body(
    details: Any, memory: InMemoryTransport, log: LlamaLogger
) -> None:
    attempt = Attempt(entity_type="ALBUM", operation="album:created", details=details)
    job = log.job("album-1", attempt=attempt)
    with pytest.raises(ZeroDivisionError), trace.use_span(SAMPLED), job:
        raise ZeroDivisionError
    await log.close(10)
    assert traces(memory) == [details.get("traceparent", CURRENT)]


@pytest.mark.parametrize("malformed", MALFORMED, ids=repr)
async def test_a_malformed_trace_is_refused_with_a_sentence(malformed: Any, log: LlamaLogger) -> None:
    with pytest.raises(
        InvalidMessageError, match="`traceparent` is not of the form version-trace-span-flags"
    ):
        await log.created("ALBUM", uuid4(), operation="album:created", traceparent=malformed)


async def test_an_outbox_keeps_the_trace_in_which_the_event_was_made() -> None:
    outbox, events = Outbox(MetaData()), EventFactory("/tests")
    with trace.use_span(SAMPLED):
        made = events.created("ALBUM", uuid4(), operation="album:created")
    engine = create_engine("sqlite://")
    outbox.table.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(outbox.insert(made))
        value = connection.execute(select(outbox.table.c.value)).scalar_one()
    engine.dispose()
    assert decode_event(value).traceparent == CURRENT  # type: ignore[union-attr]


@pytest.mark.parametrize("broken", [{}, {"get_current_span": lambda: None}])
async def test_a_fault_of_the_tracing_library_costs_the_trace_only(
    broken: dict[str, Any], memory: InMemoryTransport, log: LlamaLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = ModuleType("opentelemetry.trace")
    vars(api).update(broken)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", api)
    await log.created("ALBUM", uuid4(), operation="album:created")
    assert traces(memory) == [None]


def test_the_kit_does_not_import_opentelemetry() -> None:
    code = (
        "import sys; from llamalog_schemas.producer.events import EventFactory\n"
        "event = EventFactory('/tests').failed('ALBUM', operation='album:created')\n"
        "assert event.traceparent is None\n"
        "assert 'opentelemetry.trace' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
