"""The AsyncAPI document has the topics, keys and headers that the service uses."""

from typing import Any, get_args

import pytest
import yaml

from llamalog_schemas import Event, InvalidReason
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka import dead_letters
from llamalog_service.kafka.topics import topics
from llamalog_tools.contract_export.files import SCHEMAS
from llamalog_tools.contract_export.json_schemas import MODELS, message_type

DOCUMENT: dict[str, Any] = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))


def resolve(reference: str) -> Any:
    node: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return resolve(node["$ref"]) if "$ref" in node and node["$ref"].startswith("#/") else node


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if "$ref" in node else []
    return own + [found for value in node.values() for found in references(value)]


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        if reference.startswith("#/"):
            assert resolve(reference)
        else:
            assert (SCHEMAS / reference).is_file()


def test_every_channel_is_a_topic_that_the_service_creates() -> None:
    prefix = DOCUMENT["components"]["parameters"]["prefix"]["default"]
    channels = {channel["address"].format(prefix=prefix) for channel in DOCUMENT["channels"].values()}
    assert channels == {topic.name for topic in topics(prefix)}


def test_every_message_is_of_a_published_type_on_exactly_one_channel() -> None:
    tags = [str(model.__struct_config__.tag) for model in MODELS]
    on_channels = [
        resolve(message["$ref"])["name"]
        for channel in DOCUMENT["channels"].values()
        for message in channel["messages"].values()
    ]
    assert sorted(on_channels) == sorted([*tags, "dead-letter"])


def test_every_payload_is_the_schema_of_its_own_type() -> None:
    payloads = {
        message["name"]: message["payload"]["schema"]["$ref"]
        for message in DOCUMENT["components"]["messages"].values()
        if "payload" in message
    }
    assert payloads == {
        str(model.__struct_config__.tag): f"./json/{message_type(model).file}" for model in MODELS
    }


def test_operations_name_messages_of_their_own_channel() -> None:
    for operation in DOCUMENT["operations"].values():
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")


def test_the_service_receives_every_event_and_sends_no_entity_event() -> None:
    messages = {
        name: {resolve(message["$ref"])["name"] for message in operation["messages"]}
        for name, operation in DOCUMENT["operations"].items()
    }
    received = messages["receiveEntityEvents"] | messages["receiveOverrides"]
    assert received == {str(model.__struct_config__.tag) for model in get_args(Event)}
    sent = set().union(*(names for name, names in messages.items() if name.startswith("send")))
    assert not {name for name in sent if name.startswith("llamalog.entity-")}


def test_dead_letters_bear_exactly_the_headers_that_are_documented() -> None:
    class Record:
        topic, partition, offset = "llamalog.entity-events", 3, 17
        key, value, headers = None, b"{", [("trace", None)]

    verdict = DeadLetter(InvalidReason.NOT_JSON, "the value is not JSON")
    rejected = dead_letters.RejectedRecord(Record(), verdict)  # type: ignore[arg-type]  # class attributes
    written = [name for name, _ in dead_letters.dead_letter_message(rejected).headers]
    documented = DOCUMENT["components"]["messages"]["deadLetter"]["headers"]
    assert written == ["trace", *documented["properties"]]
    assert documented["required"] == list(documented["properties"])


@pytest.mark.parametrize("channel", DOCUMENT["channels"])
def test_a_channel_has_its_key_and_its_retention(channel: str) -> None:
    description = DOCUMENT["channels"][channel]["description"]
    assert "\n\nKey: " in description
    assert "\n\nRetention: " in description
