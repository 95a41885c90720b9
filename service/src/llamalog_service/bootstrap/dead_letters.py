"""The dead letters of an installation: read, and sent back to where they came from."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing

from aiokafka import TopicPartition

from llamalog_service.dead_letters.replay import Progress, Tally, replay
from llamalog_service.dead_letters.replay_policy import ReplayPolicy
from llamalog_service.dead_letters.selection import DeadLetterNotFoundError, Selection
from llamalog_service.kafka.clients import open_admin, open_producer, open_reader
from llamalog_service.kafka.dead_letter_reader import read_dead_letters, spans_of
from llamalog_service.kafka.dead_letters import DeadLetterPosition, StoredDeadLetter
from llamalog_service.kafka.errors import TopicAbsentError
from llamalog_service.kafka.offsets import end_offsets, first_offsets, partitions_of
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.kafka.topics import topics
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings

Spans = Mapping[TopicPartition, tuple[int, int]]


async def find_spans(settings: Settings, after: DeadLetterPosition | None = None) -> Spans:
    """What the topic of dead letters holds at this moment.

    Args:
        after: leave out what does not lie behind this place.

    Raises:
        TopicAbsentError: there is no such topic.
        UnavailableError: Kafka does not answer.
    """
    name = topics(settings.topic_prefix).dead_letters.name
    async with open_admin(settings) as admin:
        partitions = await partitions_of(admin, [name])
    if not partitions:
        raise TopicAbsentError(name)
    async with open_reader(settings) as reader:
        ends = await end_offsets(reader, partitions, knows_ends=settings.kafka_durable)
        firsts = await first_offsets(reader, partitions) if settings.kafka_durable else {}
    return spans_of(firsts, ends, after)


async def dead_letters(settings: Settings, spans: Spans) -> AsyncGenerator[list[StoredDeadLetter], None]:
    """The letters of these spans, a fetch at a time.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    if all(start >= end for start, end in spans.values()):
        return  # aiokafka's consumer does not stop well before it has fetched anything
    async with open_reader(settings) as reader:
        async for some in read_dead_letters(reader, spans):
            yield some


async def select_dead_letters(
    settings: Settings, selection: Selection, *, timeout: float
) -> AsyncGenerator[list[StoredDeadLetter], None]:
    """The letters that are meant, of all that are there at this moment.

    Raises:
        DeadLetterNotFoundError: the one that is asked for by its coordinates is not there.
        TopicAbsentError: there is no topic of dead letters.
        UnavailableError: Kafka did not answer within `timeout` seconds.
    """
    spans = await _spans_when_available(settings, None, timeout)
    found = False
    async with aclosing(dead_letters(settings, spans)) as letters:
        async for some in letters:
            meant = [letter for letter in some if selection.takes(letter)]
            found = found or bool(meant)
            yield meant
    if selection.where is not None and not found:
        raise DeadLetterNotFoundError(selection.where)


async def replay_dead_letters(
    settings: Settings,
    selection: Selection,
    *,
    after: DeadLetterPosition | None,
    even_if_invalid: bool,
    dry: bool,
    tally: Tally,
    progress: Progress,
    timeout: float,
) -> None:
    """Judge the letters that are meant, and send those that can be to where they came from.

    Args:
        after: leave out what does not lie behind this place.
        dry: only judge.
        tally: is counted up, and true also after an error.

    Raises:
        DeadLetterNotFoundError: the one that is asked for by its coordinates is not there.
        LlamalogError: the topics are unfit, or Kafka is away.
    """
    await require_fit_topics(settings, timeout=timeout)
    spans = await _spans_when_available(settings, after, timeout)
    judge = ReplayPolicy(topics(settings.topic_prefix), even_if_invalid=even_if_invalid)
    async with AsyncExitStack() as stack:
        publisher = None
        if not dry:
            publisher = MessageProducer(
                await stack.enter_async_context(open_producer(settings, timeout=timeout))
            )
        letters = await stack.enter_async_context(aclosing(dead_letters(settings, spans)))
        await replay(letters, selection, judge, publisher, tally=tally, progress=progress)
    if selection.where is not None and not tally.meant and not tally.stopped:
        raise DeadLetterNotFoundError(selection.where)


async def _spans_when_available(
    settings: Settings, after: DeadLetterPosition | None, timeout: float
) -> Spans:
    return await retry_until_available(
        lambda: find_spans(settings, after), doing="looking for dead letters", timeout=timeout
    )
