"""Routes that refuse a query parameter which they do not know: a typing error must not widen a question."""

from collections.abc import Callable, Coroutine, Iterator
from difflib import get_close_matches
from typing import Any

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response

from llamalog_service.http.problems import Fault, not_valid


class StrictRoute(APIRoute):
    """A route whose query parameters are all known and given once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the check before it."""
        handle = super().get_route_handler()
        known = set(_query_parameters(self.dependant))

        async def checked(request: Request) -> Response:
            faults = list(_faults(request, known))
            if faults:
                raise not_valid(faults)
            return await handle(request)

        return checked


def router(subject: str) -> APIRouter:
    """A router of a subject's routes."""
    return APIRouter(route_class=StrictRoute, tags=[subject])


def _query_parameters(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for dependency in dependant.dependencies:
        yield from _query_parameters(dependency)


def _faults(request: Request, known: set[str]) -> list[Fault]:
    faults = []
    for name in dict.fromkeys(request.query_params.keys()):
        if name not in known:
            faults.append(Fault(where=f"query.{name[:60]}", detail=_unknown(name, known)))
        elif len(request.query_params.getlist(name)) > 1:
            faults.append(Fault(where=f"query.{name}", detail="It is given more than once."))
    return faults


def _unknown(name: str, known: set[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"There is no such parameter. Did you mean `{close[0]}`?"
    if not known:
        return "There is no such parameter; none is taken here."
    return f"There is no such parameter; there are {', '.join(sorted(known))}."
