"""Answers: what the queries give, encoded as it is; their schemas come from the same types."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

_REFERENCE: Final = "#/components/schemas/{name}"

_told: list[Any] = []
"""Every type that a route answers with or takes in."""


def answer(
    value: object, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """A value as JSON."""
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/json",
    )


def answers(
    kind: Any,
    meaning: str,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    example: object = None,
    not_found: str = "",
    conflict: str = "",
    headers: Mapping[str, str] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route.

    Args:
        kind: what the answer holds.
        example: of it.
        not_found: what a 404 means, if there may be one.
        conflict: what a 409 means, if there may be one.
        headers: of the answer, with their meaning.
    """
    content: dict[str, Any] = {"schema": schema_of(kind)}
    if example is not None:
        content["example"] = msgspec.json.decode(msgspec.json.encode(example))
    told: dict[int | str, dict[str, Any]] = {
        status.value: {"description": meaning, "content": {"application/json": content}}
    }
    if headers:
        told[status.value]["headers"] = {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in headers.items()
        }
    if not_found:
        told[HTTPStatus.NOT_FOUND.value] = problem(not_found)
    if conflict:
        told[HTTPStatus.CONFLICT.value] = problem(conflict)
    return told


def streams(meaning: str, example: str, *, not_found: str = "") -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that tells of things as they happen."""
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": example}}
    told: dict[int | str, dict[str, Any]] = {
        HTTPStatus.OK.value: {"description": meaning, "content": content}
    }
    if not_found:
        told[HTTPStatus.NOT_FOUND.value] = problem(not_found)
    return told


def takes(kind: Any, meaning: str, examples: Mapping[str, object]) -> dict[str, Any]:
    """The `openapi_extra` of a route with a body."""
    shown = {name: {"value": value} for name, value in examples.items()}
    return {
        "requestBody": {
            "description": meaning,
            "required": True,
            "content": {"application/json": {"schema": schema_of(kind), "examples": shown}},
        }
    }


def problem(meaning: str) -> dict[str, Any]:
    """A response that is a problem."""
    return {
        "description": meaning,
        "content": {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(name="Problem")}}},
    }


def schema_of(kind: Any) -> dict[str, Any]:
    """A reference to a type's schema, which will be among the components."""
    _told.append(kind)
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    return schema


def components(*more: Any) -> Mapping[str, Any]:
    """The schemas of all types that were told of."""
    kinds: Sequence[Any] = [*_told, *more]
    _, found = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    return found
