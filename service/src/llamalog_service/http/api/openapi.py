"""The OpenAPI document: FastAPI's, with the answers' own schemas, and with what any request may meet."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from llamalog_service.http.api.responses import components, problem
from llamalog_service.http.problems import Problem

_DESCRIPTION: Final = """\
How did this get into the catalogue, and what happened to it afterwards?

Names are those of the events, in camelCase. Times are UTC, to the millisecond. Pages go on where `next` says,
as `after`: rows that arrive meanwhile neither move nor repeat what a later page shows. Job ids may hold any
characters and stand in the query string. Every error is `application/problem+json` (RFC 9457). A parameter
that is not known is refused.
"""

_ALWAYS: Final = {
    HTTPStatus.BAD_REQUEST: "The request is no valid HTTP, or no valid text.",
    HTTPStatus.UNAUTHORIZED: "Nobody has said who asks, or the token is not known.",
    HTTPStatus.FORBIDDEN: "The token's scope does not allow it, or another site has sent the request.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The path or the query string is too long.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too large.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A part of the request is not valid; `errors` names each.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A defect of llamalog.",
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "PostgreSQL or Kafka does not answer; ask again after `Retry-After`. Or the answer took too long; "
        "ask for less."
    ),
}

_METHODS: Final = frozenset({"get", "post"})


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an app."""
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
            _show_examples(made["paths"][route.path_format], route)
    for path in made["paths"].values():
        for method, operation in path.items():
            if method in _METHODS:
                _complete(operation)
    made["components"] = {
        "schemas": dict(sorted(components(Problem).items())),
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of this installation. Where it has none, nothing has to be said.",
            }
        },
    }
    made["security"] = [{"token": []}, {}]
    return made


def _show_examples(path: dict[str, Any], route: APIRoute) -> None:
    """As they are told: the framework leaves out what is null."""
    for method in route.methods or ():
        for status, told in route.responses.items():
            if "content" in told:
                path[method.lower()]["responses"][str(status)]["content"] = told["content"]


def _complete(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "requestBody" in operation:
        responses[str(HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value)] = problem("The body is not JSON.")
    for status, meaning in _ALWAYS.items():
        responses[str(status.value)] = problem(meaning)
    operation["responses"] = dict(sorted(responses.items()))
