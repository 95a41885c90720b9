"""`llamalog erase`: a person is erased from the log."""

import getpass
from typing import Annotated

import typer

from llamalog_service.bootstrap.erasures import erase_user, open_erasures
from llamalog_service.cli.options import Json
from llamalog_service.cli.runtime import SOURCE, TIMEOUT, print_json, print_line, read_settings, run
from llamalog_service.personal_data.erasure import ErasureReport
from llamalog_service.settings import Settings


def erase(
    *,
    user: Annotated[str, typer.Option(metavar="ID", help="The `userId` of the person, exactly.")],
    reason: Annotated[
        str, typer.Option(help="Why; it is kept for ever with the erasure, so name no person.")
    ] = "",
    by: Annotated[
        str | None, typer.Option(help="Who requests it; the user of this machine if left out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase; without it nothing is changed.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a person from the rows of all events, past and to come; a dry run unless --yes is given.

    In rows of that user `userId` becomes empty, and the metadata keys that LLAMALOG_PERSONAL_METADATA names
    are removed. It cannot be revoked. The erasure is kept for ever with a digest of the id, not the id.
    """
    if yes and not reason.strip():
        raise typer.BadParameter("an erasure needs a reason", param_hint="--reason")
    report = run(_erase(read_settings(), user, reason, by or getpass.getuser(), is_dry_run=not yes))
    if as_json:
        print_json(report)
        return
    print_line(
        f"{report.rows:,} rows, {report.removed_rows:,} removed rows and {report.dead_letters:,} dead "
        "letters name the person."
    )
    keys = ", ".join(report.metadata_keys)
    print_line(
        f"Metadata keys removed from the rows: {keys}."
        if keys
        else "No metadata key is removed from the rows: LLAMALOG_PERSONAL_METADATA names none."
    )
    print_line("Left to commands of their own, or to their owners:")
    for place in report.not_reached:
        print_line(f"  {place}")
    if report.erasure is None:
        print_line("Nothing was changed. To erase the person: --yes --reason …")
    else:
        print_line(
            f"The erasure {report.erasure.id} is published: once it is read, the rows are erased one after "
            "the other, and published anew. `llamalog overrides` shows when all are."
        )


async def _erase(
    settings: Settings, user: str, reason: str, requested_by: str, *, is_dry_run: bool
) -> ErasureReport:
    async with open_erasures(settings) as reader:
        return await erase_user(
            settings,
            reader,
            user,
            reason=reason,
            requested_by=requested_by,
            source=SOURCE,
            timeout=TIMEOUT,
            is_dry_run=is_dry_run,
        )
