"""Old versions of a message → the latest one, a pure step at a time.

The codec does this once, at the edge; everything behind it sees the latest version alone. Messages of an old
version lie in the topics for ever, so its model stays here, and with it the rules that once held for them.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, Union

import msgspec

from llamalog_schemas.events import CloudEvent, LegacyRow, TracedEvent

OldData = TypeVar("OldData")


class Step(Generic[OldData]):
    """The step from one version of a message to the next.

    Only the data change: the id, source and time of an event stay as they are.

    Args:
        old: the model of the old version; its ``type`` selects its messages.
        new: the model of the next version, which may be old itself by now.
        change: given the old data, those of the new version. Pure and total: it accepts
            everything that the old model accepts; the result is validated by the latest version's rules.
    """

    def __init__(
        self, old: type[CloudEvent], new: type[CloudEvent], change: Callable[[OldData], object]
    ) -> None:
        self.old = old
        self.new = new
        self._change = change

    def apply(self, message: Any) -> CloudEvent:
        """The message in the next version."""
        marks: dict[str, Any] = {}
        if isinstance(message, TracedEvent):
            marks = {"traceparent": message.traceparent, "erased": message.erased}
        elif isinstance(message, LegacyRow):
            marks = {"erased": message.erased}
        return self.new(
            id=message.id,
            source=message.source,
            time=message.time,
            specversion=message.specversion,
            subject=message.subject,
            **marks,
            data=self._change(message.data),  # type: ignore[call-arg]  # every message has data, its base has none
        )


class Upcasters:
    """The old versions, and the steps from each to the latest one.

    Raises:
        ValueError: two steps begin at one version, or the steps from one lead back to it.
    """

    def __init__(self, *steps: Step[Any]) -> None:
        self._steps = {step.old: step for step in steps}
        if len(self._steps) != len(steps):
            raise ValueError("two steps begin at the same version: remove one of them")
        for step in steps:
            self._check_way_from(step)
        self._decoder = msgspec.json.Decoder(Union[self.old]) if steps else None  # noqa: UP007 - of a tuple

    @property
    def old(self) -> tuple[type[CloudEvent], ...]:
        """The models of all old versions."""
        return tuple(self._steps)

    @property
    def decoder(self) -> "msgspec.json.Decoder[CloudEvent] | None":
        """Reads a message of any old version; None: there is none."""
        return self._decoder

    def latest_of(self, model: type[CloudEvent]) -> type[CloudEvent]:
        """The latest version of a model."""
        while model in self._steps:
            model = self._steps[model].new
        return model

    def latest(self, message: CloudEvent) -> CloudEvent:
        """A message of any version in the latest one, not yet validated by its rules."""
        while (step := self._steps.get(type(message))) is not None:
            message = step.apply(message)
        return message

    def _check_way_from(self, first: Step[Any]) -> None:
        passed = {first.old}
        model = first.new
        while model in self._steps:
            if model in passed:
                raise ValueError(f"the steps from {first.old.__name__} lead back to {model.__name__}")
            passed.add(model)
            model = self._steps[model].new


UPCASTERS: Final = Upcasters()
"""The old versions of this contract: none yet. docs/evolution.md describes how to add the first one."""
