"""`/logs/{id}/explanation` and `/explanation`: why a row or a job has the root that it has."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from llamalog_service.http.api import examples
from llamalog_service.http.api.openapi import responses
from llamalog_service.http.api.routing import Job, Uuid, json_response, router
from llamalog_service.http.context import ReaderDep
from llamalog_service.http.problems import not_found
from llamalog_service.queries.explanations import Explanation, explain_job, explain_row

routes = router("explanations")


@routes.get(
    "/logs/{id}/explanation",
    summary="Why a row has its root",
    responses=responses(
        Explanation,
        "The chain with the event behind each step, the rule that applies, and what the row had before.",
        example=examples.EXPLANATION,
        not_found="There is no such row.",
    ),
)
async def of_row(
    reader: ReaderDep,
    row: Annotated[Uuid, Path(alias="id", description="The row's id: that of its event.")],
) -> Response:
    """The claims that count and those that do not, declarations, overrides, conflicts, and the history."""
    found = await explain_row(reader, row)
    if found is None:
        raise not_found(f"The log has no row {row}.")
    return json_response(found)


@routes.get(
    "/explanation",
    summary="Why a job has its root",
    responses=responses(
        Explanation,
        "As of a row: that of the job's earliest row; of a job never seen, what others say about it.",
        example=examples.EXPLANATION,
        not_found="No row bears or names the job, and there is no override of it.",
    ),
)
async def of_job(reader: ReaderDep, job: Job) -> Response:
    """As of `/logs/{id}/explanation`."""
    found = await explain_job(reader, job)
    if found is None:
        raise not_found(f"The log knows no job {job}.")
    return json_response(found)
