"""What the migration consumer is asked to do."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from llamalog_schemas.events import CloudEvent
from llamalog_schemas.limits import JobId

MAX_JOBS_PER_COMMAND = 1000
"""A longer list of jobs is told as several commands."""


class RecomputeReason(StrEnum):
    """What made somebody doubt the roots below a job."""

    PARENT_CHANGED = "parent-changed"
    ROOT_DISAGREES = "root-disagrees"
    ADOPTION_CHANGED = "adoption-changed"
    REQUESTED = "requested"


class RecomputeRootsData(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """Jobs whose roots, and those of everything below them, are to be computed anew."""

    jobs: Annotated[tuple[JobId, ...], Meta(min_length=1, max_length=MAX_JOBS_PER_COMMAND)]
    reason: RecomputeReason


class RecomputeRoots(CloudEvent, frozen=True, kw_only=True, tag="llamalog.recompute-roots.v1", gc=False):
    """Write the rows below these jobs whose root or origin differs from the rule.

    The CloudEvents id is a UUID and becomes the run's id, which makes the command idempotent.
    """

    data: RecomputeRootsData


Command = RecomputeRoots
