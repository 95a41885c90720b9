"""The OpenAPI document: FastAPI's, with the schemas of msgspec's types and the problems of every request."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from llamalog_service.http.problems import Problem

Responses = dict[int | str, dict[str, Any]]

_DESCRIPTION: Final = """\
How did this get into the catalogue, and what happened to it afterwards?

Names are those of the events, in camelCase. Times are UTC, to the millisecond. Pages continue with `next`,
given back as `after`: rows that arrive meanwhile neither move nor repeat what a later page shows. Job ids may
hold any characters and belong into the query string. Every error is `application/problem+json` (RFC 9457). An
unknown parameter is refused.
"""
_REFERENCE: Final = "#/components/schemas/{name}"

_documented: list[Any] = []
"""Every type that a route takes or returns."""


def problem(meaning: str) -> dict[str, Any]:
    """A response that is a problem."""
    return {
        "description": meaning,
        "content": {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(name="Problem")}}},
    }


PROBLEMS: Final[Responses] = {
    status.value: problem(meaning)
    for status, meaning in {
        HTTPStatus.BAD_REQUEST: "The request is no valid HTTP, or no valid text.",
        HTTPStatus.UNAUTHORIZED: "The request has no token, or one that is not known.",
        HTTPStatus.FORBIDDEN: "The token's scope does not allow it, or another site has sent the request.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
        HTTPStatus.REQUEST_URI_TOO_LONG: "The path or the query string is too long.",
        HTTPStatus.UNPROCESSABLE_ENTITY: "A part of the request is not valid; `errors` names each.",
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too large.",
        HTTPStatus.INTERNAL_SERVER_ERROR: "A defect of llamalog.",
        HTTPStatus.SERVICE_UNAVAILABLE: (
            "PostgreSQL or Kafka does not answer; retry after `Retry-After`. Or the query took too long; "
            "ask for less."
        ),
    }.items()
}
"""Responses that any request may get."""


def responses(
    kind: Any,
    meaning: str,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    example: object = None,
    not_found: str = "",
    conflict: str = "",
    headers: Mapping[str, str] | None = None,
) -> Responses:
    """The `responses` of a route.

    Args:
        kind: the type of the response.
        example: of it.
        not_found: the meaning of a 404, if there may be one.
        conflict: the meaning of a 409, if there may be one.
        headers: of the response, with their meaning.
    """
    content: dict[str, Any] = {"schema": _schema_of(kind)}
    if example is not None:
        content["example"] = msgspec.json.decode(msgspec.json.encode(example))
    success: dict[str, Any] = {"description": meaning, "content": {"application/json": content}}
    if headers:
        success["headers"] = {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in headers.items()
        }
    return {status.value: success, **_failures(not_found=not_found, conflict=conflict)}


def stream_responses(meaning: str, example: str, *, not_found: str = "") -> Responses:
    """The `responses` of a route of server-sent events."""
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": example}}
    success = {"description": meaning, "content": content}
    return {HTTPStatus.OK.value: success, **_failures(not_found=not_found)}


def _failures(*, not_found: str = "", conflict: str = "") -> Responses:
    meanings = {HTTPStatus.NOT_FOUND: not_found, HTTPStatus.CONFLICT: conflict}
    return {status.value: problem(meaning) for status, meaning in meanings.items() if meaning}


def request_body(kind: Any, meaning: str, examples: Mapping[str, object]) -> dict[str, Any]:
    """The `openapi_extra` of a route with a body."""
    named = {name: {"value": value} for name, value in examples.items()}
    return {
        "requestBody": {
            "description": meaning,
            "required": True,
            "content": {"application/json": {"schema": _schema_of(kind), "examples": named}},
        },
        "responses": {str(HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value): problem("The body is not JSON.")},
    }


def _schema_of(kind: Any) -> dict[str, Any]:
    """A reference to a type's schema, which becomes one of the components."""
    _documented.append(kind)
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    return schema


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an app."""
    made = get_openapi(
        title="llamalog",
        version=app.version,
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        routes=app.routes,
        tags=[],
        servers=[{"url": "/"}],
    )
    for route in app.state.routes:
        if isinstance(route, APIRoute) and route.path_format in made["paths"]:
            _restore_examples(made["paths"][route.path_format], route)
    _, schemas = msgspec.json.schema_components([*_documented, Problem], ref_template=_REFERENCE)
    made["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of this installation. Where it has none, leave it out.",
            }
        },
    }
    made["security"] = [{"token": []}, {}]
    return made


def _restore_examples(path: dict[str, Any], route: APIRoute) -> None:
    """Put back what FastAPI leaves out of responses: everything that is null."""
    for method in route.methods or ():
        for status, response in route.responses.items():
            if "content" in response:
                path[method.lower()]["responses"][str(status)]["content"] = response["content"]
