"""`/docs`: the OpenAPI document as a page; nothing is loaded from other sites."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_service.http.web.pages import render

routes = APIRouter()


class Parameter(NamedTuple):
    """A parameter of a request."""

    name: str
    location: str
    kind: str
    description: str
    is_required: bool


class Operation(NamedTuple):
    """An operation of the API.

    Attributes:
        body: the name of the body's schema; empty if it takes none.
        responses: the meaning of the statuses that only this operation has.
    """

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    body: str
    responses: tuple[tuple[str, str], ...]


_OWN_STATUSES = frozenset({"200", "202", "404", "409"})


@routes.get("/docs")
async def docs(request: Request) -> Response:
    """Every operation, by its tag."""
    document = await asyncio.to_thread(request.app.openapi)
    subjects: dict[str, list[Operation]] = {}
    for tag, operation in _operations(document):
        subjects.setdefault(tag, []).append(operation)
    return await render(
        request,
        "docs.html",
        title="The API",
        introduction=document["info"]["description"].split("\n\n"),
        subjects=subjects,
    )


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield (
                described["tags"][0],
                Operation(
                    method=method.upper(),
                    path=path,
                    summary=described["summary"],
                    description=described.get("description", ""),
                    parameters=tuple(map(_parameter, described.get("parameters", ()))),
                    body=_kind(body["schema"]) if body else "",
                    responses=tuple(
                        (status, response["description"])
                        for status, response in described["responses"].items()
                        if status in _OWN_STATUSES
                    ),
                ),
            )


def _parameter(described: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=described["name"],
        location=described["in"],
        kind=_kind(described["schema"]),
        description=described.get("description", ""),
        is_required=described.get("required", False),
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """A type and its limits in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    limits = [str(schema.get("format", schema.get("type", "any")))]
    if "minimum" in schema:
        limits.append(f"{schema['minimum']:,} to {schema['maximum']:,}")
    if "maxLength" in schema:
        limits.append(f"up to {schema['maxLength']} characters")
    if "default" in schema:
        limits.append(f"else {str(schema['default']).lower()}")
    return ", ".join(limits)
