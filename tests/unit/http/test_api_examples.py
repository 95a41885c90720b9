"""The OpenAPI document shows answers, and they are what the routes' types allow."""

from typing import Any, Final

import jsonschema
import pytest

from llamalog_service.http import create_app
from llamalog_service.http.access import Access
from llamalog_service.http.streams import Streams

SHOWN: Final = (
    "/timelines/{type}/{id}",
    "/tree",
    "/children",
    "/chain",
    "/logs",
    "/logs/{id}",
    "/logs/{id}/explanation",
    "/explanation",
    "/root-jobs",
)


@pytest.fixture(scope="module")
def document() -> Any:
    nothing: Any = None  # the document needs neither a database nor Kafka
    return create_app(nothing, nothing, access=Access(), streams=Streams(limit=0, per_client=0)).openapi()


@pytest.mark.parametrize("path", SHOWN)
def test_an_answer_is_shown_and_is_of_its_type(document: Any, path: str) -> None:
    shown = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    schema = {"components": document["components"], **shown["schema"]}
    jsonschema.validate(shown["example"], schema, cls=jsonschema.Draft202012Validator)
    wrong = {**shown["example"], **dict.fromkeys(shown["example"], object())}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema, cls=jsonschema.Draft202012Validator)
