"""Options that several commands share: filters of rows, moments, limits."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from llamalog_schemas.events import Category, EntityType, Status
from llamalog_schemas.limits import TRACEPARENT
from llamalog_schemas.provenance import Origin
from llamalog_service.backfill.scopes import InvalidScopeError, parse_moment
from llamalog_service.domain.timestamps import is_age, parse_timestamp

_MOMENT = "2h|MOMENT"


def parse_when(text: str) -> datetime:
    """A moment in ISO 8601, or a time span before now: ``30s``, ``15m``, ``2h``, ``3d``, ``1w``.

    Raises:
        typer.BadParameter: it is neither.
    """
    try:
        return parse_timestamp(text, ages=True) if is_age(text) else parse_moment(text)
    except (InvalidScopeError, ValueError):
        raise typer.BadParameter(
            f"{text!r} is no moment. One looks like 2h (so long ago; s, m, h, d, w), 2026-02-10 (UTC) or "
            "2026-02-10T10:30:00+01:00."
        ) from None


def _status(text: str) -> str:
    """A status of the contract in any case; of legacy rows any other text, as it is typed."""
    return text.upper() if text.upper() in list(Status) else text


def _trace_id(text: str) -> str:
    """The id of a trace, given alone or as a `traceparent`."""
    trace = text.split("-")[1] if TRACEPARENT.fullmatch(text) else text.lower()
    if re.fullmatch("[0-9a-f]{32}", trace) is None:
        raise typer.BadParameter(f"{text!r} is no id of a trace: 32 hexadecimal digits, or a traceparent.")
    return trace


def _option(help_text: str, *names: str, **more: Any) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(*names, help=help_text, **more)
    return option


OfCategory = Annotated[Category | None, _option("Only of this category.", "--category", case_sensitive=False)]
OfStatus = Annotated[
    str | None,
    _option(f"How it ended: {', '.join(Status)}.", "--status", parser=_status, metavar="STATUS"),
]
OfType = Annotated[
    EntityType | None, _option("Only about this type of entity.", "--type", case_sensitive=False)
]
OfEntity = Annotated[UUID | None, _option("Only rows about this album, artist or track.", "--entity")]
OfOperation = Annotated[
    str | None, _option("The operation, or its beginning: 'enrichment:*'.", "--operation")
]
OfSource = Annotated[str | None, _option("Only with this source, such as MUSICBRAINZ.", "--source")]
OfUser = Annotated[str | None, _option("Only done for this user.", "--user")]
OfJob = Annotated[str | None, _option("Rows of this job.", "--job")]
OfRoot = Annotated[str | None, _option("Rows whose root is this job.", "--root")]
OfOrigin = Annotated[
    Origin | None,
    _option(
        "Only of this origin: how the root is known, or why it is not.", "--origin", case_sensitive=False
    ),
]
Since = Annotated[
    datetime | None,
    _option("Only from this moment on.", "--since", parser=parse_when, metavar=_MOMENT),
]
Until = Annotated[
    datetime | None, _option("Only before this moment.", "--until", parser=parse_when, metavar=_MOMENT)
]
AsOf = Annotated[
    datetime | None,
    _option(
        "As it was believed at this moment: roots and origins as they were, rows recorded later left out.",
        "--as-of",
        parser=parse_when,
        metavar=_MOMENT,
    ),
]
OfError = Annotated[str | None, _option("Text in the error's message or code, in any case.", "--error")]
OfProducer = Annotated[str | None, _option("Only of this producer: the source of its events.", "--producer")]
OfTrace = Annotated[
    str | None,
    _option("Only of this distributed trace: its id.", "--trace", parser=_trace_id, metavar="TRACE"),
]
OnlyRoots = Annotated[bool, _option("Only rows of jobs that are their own root.", "--roots")]
OnlyUnknown = Annotated[bool, _option("Only rows whose root is not known.", "--unknown")]
Searched = Annotated[str | None, _option("Text in name, operation, job, reason or error.", "--search")]
Entity = Annotated[EntityType, typer.Argument(case_sensitive=False, help="Its type.")]
EntityId = Annotated[UUID, typer.Argument(metavar="ID", help="Its id in the events.")]
Job = Annotated[str, typer.Argument(help="The id of the job.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many rows.")]
Json = Annotated[bool, typer.Option("--json", help="For programs: the JSON that the API answers with.")]
JsonReport = Annotated[bool, typer.Option("--json", help="For programs: the report as one object.")]
