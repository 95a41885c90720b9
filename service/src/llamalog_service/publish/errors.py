"""What can go wrong between us and Kafka."""

from llamalog_service.domain.errors import LlamalogError


class PublishError(LlamalogError):
    """The base of every error of what we keep in Kafka."""


class TopicsNotCreatedError(PublishError):
    """The broker refused to create topics; the others of the same request were created."""

    def __init__(self, refusals: dict[str, str]) -> None:
        told = "; ".join(f"{topic}: {reason}" for topic, reason in refusals.items())
        super().__init__(
            f"Kafka did not create {len(refusals)} of the topics ({told}). The others stand. "
            "Remove the cause and create the topics again: those that stand are kept as they are."
        )
        self.refusals = refusals
