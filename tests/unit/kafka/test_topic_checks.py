"""Findings about topics whose broker returns few of their settings."""

from llamalog_service.kafka.topic_checks import Level, check_configs
from llamalog_service.kafka.topics import topics


def test_settings_that_the_broker_does_not_return_are_named_and_nothing_else_is_reported() -> None:
    wanted = topics()
    findings = check_configs(wanted, {spec.name: {} for spec in wanted})
    assert [(finding.level, finding.topic) for finding in findings] == [
        (Level.INFO, spec.name) for spec in wanted
    ]
    assert (
        "does not return cleanup.policy, max.message.bytes, retention.bytes, retention.ms"
        in findings[0].wrong
    )


def test_settings_as_they_are_created_give_no_findings() -> None:
    wanted = topics("catalogue.", partitions=12)
    assert check_configs(wanted, {spec.name: spec.config for spec in wanted}) == []
    assert wanted.entity_events.name == "catalogue.entity-events"
    assert wanted.provenance.partitions == 12
