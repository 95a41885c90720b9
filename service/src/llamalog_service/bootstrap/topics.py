"""The topics of an installation: created where they are missing, judged where they stand."""

import structlog

from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.errors import TopicsUnfitError
from llamalog_service.kafka.topic_checks import Finding, Level, check_topics
from llamalog_service.kafka.topics import TopicOutcome, create_topics, topics
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import Settings

_log = structlog.get_logger("llamalog.topics")


async def create_missing_topics(settings: Settings, *, timeout: float | None = None) -> list[TopicOutcome]:
    """Create the topics that are missing; those that stand are kept as they are.

    Raises:
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
        TopicsNotCreatedError: the broker refused some of them.
    """

    async def create() -> list[TopicOutcome]:
        async with open_admin(settings) as admin:
            return await create_topics(admin, topics(settings.topic_prefix))

    return await retry_until_available(create, doing="creating the topics", timeout=timeout)


async def find_topic_faults(settings: Settings, *, timeout: float | None = None) -> list[Finding]:
    """What is wrong with the topics; empty where all is well.

    Raises:
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """

    async def check() -> list[Finding]:
        async with open_admin(settings) as admin:
            return await check_topics(admin, topics(settings.topic_prefix))

    return await retry_until_available(check, doing="checking the topics", timeout=timeout)


async def require_fit_topics(settings: Settings, *, timeout: float | None = None) -> None:
    """Go on only with topics as they have to be; what is merely odd about them is logged.

    Raises:
        TopicsUnfitError: with what is wrong, what that means and what to do.
        UnavailableError: Kafka did not answer within `timeout` seconds; None waits for ever.
    """
    findings = await find_topic_faults(settings, timeout=timeout)
    errors = [finding for finding in findings if finding.level is Level.ERROR]
    if errors:
        raise TopicsUnfitError(errors)
    for finding in findings:
        tell = _log.warning if finding.level is Level.WARNING else _log.info
        tell("topic", finding=str(finding))
