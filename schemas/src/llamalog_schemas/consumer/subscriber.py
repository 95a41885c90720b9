"""Provenance for FastStream applications: a handler that gets each update once."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Annotated, Any, get_args, get_origin

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from llamalog_schemas.consumer.skipped import SkippedRecords, known_positions
from llamalog_schemas.consumer.starts import Assignments, Committed, Start
from llamalog_schemas.consumer.updates import (
    DEFAULT_TOPIC,
    FETCH_MAX_BYTES,
    PARTITION_FETCH_BYTES,
    Change,
    Deduplicator,
    RevisionStore,
    UnreadableRecord,
    portions,
)

_logger = logging.getLogger("llamalog_schemas.consumer")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0

_INJECTED = {"Dependant", "CustomField", "Depends"}
"""The classes, of FastDepends and of FastAPI, of what stands for an injected object."""

Handler = Callable[[Change], Awaitable[None]]


def provenance_subscriber(
    broker: KafkaBroker,
    *,
    group: str,
    topic: str = DEFAULT_TOPIC,
    start: Start | None = None,
    revisions: RevisionStore | None = None,
    on_unreadable: Callable[[UnreadableRecord], object] | None = None,
    max_records: int = 500,
) -> Callable[[Handler], Handler]:
    """Decorate the handler of updates and removals, which it gets as its only argument.

    A batch is committed once the handler has returned for each of its updates. Where it raises, the rest of
    the batch comes again after a pause that grows from half a second to thirty; with `revisions` of the
    handler's own store, without the updates that it has processed.

    Args:
        broker: to which the subscriber is added; before it starts.
        group: the consumer group.
        topic: of provenance records.
        start: the first positions; None: the committed ones.
        revisions: the processed ones; None: a `RevisionCache`.
        on_unreadable: called with each record that is no provenance record.
        max_records: the largest batch.

    Raises:
        ValueError: the group has no name.
        TypeError: the handler has other arguments, FastStream injects nothing into it; or it is a generator.
    """
    if not group:
        raise ValueError("a subscriber commits what was handled, which takes a group: name it")
    skipped, starts = SkippedRecords(), Committed() if start is None else start

    async def raw_batch(records: tuple[ConsumerRecord, ...]) -> KafkaAckableMessage:
        """A parser that decodes nothing: one unreadable record must not fail the whole batch."""
        return KafkaAckableMessage(body=b"", raw_message=records, consumer=subscriber.consumer)

    subscriber = broker.subscriber(
        topic,
        batch=True,
        group_id=group,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_records=max_records,
        fetch_max_bytes=FETCH_MAX_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        parser=raw_batch,
        decoder=_raw_records,
        listener=Assignments(lambda: subscriber.consumer, starts, skipped.forget),
    )
    fetch = subscriber.get_msg

    async def fetch_and_skip(consumer: AIOKafkaConsumer) -> tuple[ConsumerRecord, ...]:
        """Fetch; if nothing comes, all before was processed, and the offsets may pass what is skipped."""
        records = await fetch(consumer)
        if not records:
            await _commit_skipped(consumer, skipped)
        return records

    subscriber.get_msg = fetch_and_skip  # type: ignore[method-assign]  # FastStream has no hook for a poll

    def register(handler: Handler) -> Handler:
        _check_handler(handler)
        batches = _Batches(Deduplicator(revisions, on_unreadable), handler)

        @subscriber
        async def deliver(records: tuple[ConsumerRecord, ...]) -> None:
            await batches.deliver(records)

        return handler

    return register


class _Batches:
    """Passes the updates of batches to the handler, and pauses after a failed batch."""

    def __init__(self, deduplicator: Deduplicator, handler: Handler) -> None:
        self._deduplicator = deduplicator
        self._handler = handler
        self._pause = 0.0

    async def deliver(self, records: Sequence[ConsumerRecord]) -> None:
        try:
            for _, of_partition in groupby(records, key=attrgetter("partition")):
                for portion in portions(list(of_partition)):
                    for change in await self._deduplicator.updates(portion):
                        handled = self._handler(change)
                        if inspect.isawaitable(handled):
                            await handled
                        self._deduplicator.note(change)
        except Exception:
            # FastStream fetches a failed batch again at once: a thousand times a second.
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _FIRST_PAUSE)
            await asyncio.sleep(self._pause)
            raise
        self._pause = 0.0


async def _commit_skipped(consumer: AIOKafkaConsumer, skipped: SkippedRecords) -> None:
    ahead = await skipped.ahead(consumer, await known_positions(consumer))
    if ahead:
        await skipped.commit(consumer, ahead)


async def _raw_records(message: KafkaAckableMessage) -> Any:
    """A decoder that returns the records unchanged."""
    return message.raw_message


def _check_handler(handler: object) -> None:
    """Refuse a handler that would fail with every update."""
    try:
        signature = inspect.signature(handler)  # type: ignore[arg-type]  # that is what is checked here
        signature.bind(None)
    except TypeError as error:
        raise _refusal(handler, str(error)) from None
    for called in (handler, getattr(handler, "__call__", None)):  # noqa: B004 - a function or an object
        if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
            raise _refusal(handler, "it is a generator, whose body would never run")
    for parameter in signature.parameters.values():
        for mark in _marks_of(parameter, handler):
            if not _INJECTED.isdisjoint(kind.__name__ for kind in type(mark).__mro__):
                raise _refusal(handler, f"nothing is injected for {parameter.name!r}")


def _marks_of(parameter: inspect.Parameter, handler: Any) -> Iterator[object]:
    """The default of a parameter, and what it is annotated with beside its type."""
    yield parameter.default
    annotation = parameter.annotation
    if isinstance(annotation, str):
        try:
            annotation = inspect.get_annotations(handler, eval_str=True)[parameter.name]
        except Exception:  # a name that exists for type checkers alone
            return
    if get_origin(annotation) is Annotated:
        yield from get_args(annotation)[1:]


def _refusal(handler: object, fault: str) -> TypeError:
    name = getattr(handler, "__qualname__", repr(handler))
    return TypeError(
        f"{name}: {fault}. The handler is called with the update alone; get other objects in its body, or "
        "bind them with functools.partial"
    )
