"""A producer takes its own events back, over the API of llamalog."""

import asyncio
import json
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from uuid import UUID

from llamalog_schemas.errors import LlamalogSchemasError
from llamalog_schemas.events import Event, row_id

_MAX_DETAIL: Final = 65_536


class RetractionError(LlamalogSchemasError):
    """A retraction was refused, or got no answer.

    Attributes:
        status: the HTTP status of the refusal; None: there was no answer, and repeating is safe.
    """

    def __init__(self, sentence: str, status: int | None) -> None:
        super().__init__(sentence)
        self.status = status


async def retract(
    api: str, token: str, event: Event | UUID, *, reason: str, revoke: bool = False, timeout: float = 10.0
) -> None:
    """Take an event back, or revoke that. It counts once the service has read it.

    Args:
        api: the address of the API, as ``https://llamalog.example``.
        token: of the API; it names the producer, or has the scope admin.
        event: the event, or the id of its row.
        reason: kept for ever with the retraction.
        timeout: seconds to wait for the answer.

    Raises:
        ValueError: `api` is no address of HTTP.
        RetractionError: it was refused, or there was no answer.
    """
    if not api.startswith(("http://", "https://")):
        raise ValueError(f"{api!r} is no address of HTTP: it begins with https:// or http://")
    row = event if isinstance(event, UUID) else row_id(event)
    body = json.dumps({"rowId": str(row), "reason": reason, "revoke": revoke}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = Request(f"{api.rstrip('/')}/retractions", body, headers, method="POST")  # noqa: S310 - checked
    await asyncio.to_thread(_send, request, row, timeout)


def _send(request: Request, row: UUID, timeout: float) -> None:
    try:
        with urlopen(request, timeout=timeout):  # noqa: S310 - checked
            return
    except HTTPError as refusal:
        detail = _detail(refusal)
        raise RetractionError(f"The row {row} was not retracted: {detail}", refusal.code) from None
    except (URLError, TimeoutError, OSError, HTTPException) as away:
        raise RetractionError(
            f"It is not known whether the row {row} was retracted: the API did not answer ({away}). "
            "Repeat it.",
            None,
        ) from None


def _detail(refusal: HTTPError) -> str:
    """The sentence of a problem (RFC 9457), or the status alone."""
    try:
        detail = json.loads(refusal.read(_MAX_DETAIL)).get("detail")
    except (ValueError, AttributeError, OSError, HTTPException):
        detail = None
    return detail if isinstance(detail, str) else f"the API answers {refusal.code} {refusal.reason}."
