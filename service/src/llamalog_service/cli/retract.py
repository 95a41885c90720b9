"""`llamalog retract`: an event is taken back, or its retraction revoked."""

import getpass
from typing import Annotated
from uuid import UUID

import typer

from llamalog_schemas.events import row_id_of
from llamalog_service.bootstrap.backfills import retract_event
from llamalog_service.cli.options import Json
from llamalog_service.cli.rendering import shown
from llamalog_service.cli.runtime import SOURCE, TIMEOUT, print_json, print_line, read_settings, run


def retract(
    *,
    row: Annotated[
        UUID | None, typer.Argument(help="The id of the event's row, as `llamalog logs` shows.")
    ] = None,
    producer: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="With --event-id, instead of the row: the event's `source`."),
    ] = None,
    event_id: Annotated[str | None, typer.Option(metavar="ID", help="The event's `id`, of any form.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept for ever with the retraction.")],
    by: Annotated[
        str | None, typer.Option(help="Who requests it; the user of this machine if left out.")
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="The event counts again.")] = False,
    unseen: Annotated[
        bool, typer.Option("--unseen", help="Also an event that is not in the log: it may still come.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take an event back, whenever it comes: its row stays, and claims and declares nothing.

    What hung on it gets other roots, or none. Provenance is published anew, with `retracted` and a higher
    revision. To correct an event: take it back, and have its producer send another one under a new id.
    """
    published = run(
        retract_event(
            read_settings(),
            _row(row, producer, event_id),
            source=SOURCE,
            retracted=not revoke,
            reason=reason,
            requested_by=by or getpass.getuser(),
            timeout=TIMEOUT,
            unseen=unseen,
        )
    )
    if as_json:
        print_json(published.retraction)
        return
    known = published.row
    name = str(published.retraction.data.row_id)
    about = name if known.operation is None else f"{name} ({shown(known.operation)})"
    kind = "revocation" if revoke else "retraction"
    then = "counts again" if revoke else "claims nothing any more"
    print_line(
        f"The {kind} {published.retraction.id} is published: once it is read, the row {about} {then}, and "
        "what hangs on it is recomputed. `llamalog overrides` shows it."
    )
    if known.operation is None:
        print_line("The row is not in the log; it is so from the moment at which the event comes.")


def _row(row: UUID | None, producer: str | None, event_id: str | None) -> UUID:
    if row is not None and producer is None and event_id is None:
        return row
    if row is None and producer is not None and event_id is not None:
        return row_id_of(producer, event_id)
    raise typer.BadParameter("give the id of a row, or both --producer and --event-id")
