"""`/docs`: the API for people, from its OpenAPI document; nothing is fetched from elsewhere."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_service.http.web.pages import render

router = APIRouter()


class Parameter(NamedTuple):
    """A parameter of a request."""

    name: str
    place: str
    kind: str
    description: str
    is_required: bool


class Operation(NamedTuple):
    """What can be asked.

    Attributes:
        body: the name of the body's schema; empty if it takes none.
        answers: what the statuses mean that only this operation has.
    """

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    body: str
    answers: tuple[tuple[str, str], ...]


_OWN = frozenset({"200", "202", "404", "409"})


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every operation, by subject."""
    document = request.app.openapi()
    subjects: dict[str, list[Operation]] = {}
    for tag, operation in _operations(document):
        subjects.setdefault(tag, []).append(operation)
    return render(
        request,
        "docs.html",
        title="The API",
        introduction=document["info"]["description"].split("\n\n"),
        subjects=subjects,
    )


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield (
                told["tags"][0],
                Operation(
                    method=method.upper(),
                    path=path,
                    summary=told["summary"],
                    description=told.get("description", ""),
                    parameters=tuple(map(_parameter, told.get("parameters", ()))),
                    body=_kind(body["schema"]) if body else "",
                    answers=tuple(
                        (status, response["description"])
                        for status, response in told["responses"].items()
                        if status in _OWN
                    ),
                ),
            )


def _parameter(told: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=told["name"],
        place=told["in"],
        kind=_kind(told["schema"]),
        description=told.get("description", ""),
        is_required=told.get("required", False),
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """A type and its limits in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    words = [str(schema.get("format", schema.get("type", "any")))]
    if "minimum" in schema:
        words.append(f"{schema['minimum']:,} to {schema['maximum']:,}")
    if "maxLength" in schema:
        words.append(f"up to {schema['maxLength']} characters")
    if "default" in schema:
        words.append(f"else {str(schema['default']).lower()}")
    return ", ".join(words)
