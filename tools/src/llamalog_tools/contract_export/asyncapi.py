"""The AsyncAPI 3.0 document: the channels and the operations, as the service sees them."""

from typing import Any, Final

from llamalog_schemas import CloudEvent
from llamalog_tools.contract_export.channels import CHANNELS, DEAD_LETTER_HEADERS, Channel, Operation
from llamalog_tools.contract_export.json_schemas import MODELS, message_type

VERSION: Final = "1.0.0"
"""The version of the contract as a whole; it rises when a channel or a message is added."""

_KAFKA_MESSAGE: Final = "0.5.0"
_SCHEMA_FORMAT: Final = "application/schema+json;version=draft-2020-12"
_STRUCTURED: Final = "application/cloudevents+json; charset=UTF-8"
_DEAD_LETTER: Final = "deadLetter"

Node = dict[str, Any]


def document() -> Node:
    """The whole document, ready to be written as YAML beside the folder of the JSON Schemas."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "llamalog",
            "version": VERSION,
            "description": "How entities got into the music catalogue and what happened to them afterwards. "
            "Every message but a dead letter is a CloudEvents 1.0 event in structured JSON mode; binary mode "
            "is understood too, where entity events are read.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {
            operation.name: _operation(channel, operation)
            for channel in CHANNELS
            for operation in channel.operations
        },
        "components": {
            "parameters": {
                "prefix": {"description": "What the names of all topics begin with.", "default": "llamalog."}
            },
            "messages": {_name(model): _message(model) for model in MODELS} | {_DEAD_LETTER: _dead_letter()},
        },
    }


def _channel(channel: Channel) -> Node:
    return {
        "address": f"{{prefix}}{channel.topic}",
        "description": f"{channel.about}\n\nKey: {channel.key}\n\nRetention: {channel.retention}",
        "parameters": {"prefix": {"$ref": "#/components/parameters/prefix"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names(channel.models)},
    }


def _operation(channel: Channel, operation: Operation) -> Node:
    names = _names(operation.messages or channel.models)
    return {
        "action": operation.action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": operation.summary,
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{name}"} for name in names],
    }


def _names(models: tuple[type[CloudEvent], ...]) -> list[str]:
    return [_name(model) for model in models] or [_DEAD_LETTER]


def _name(model: type[CloudEvent]) -> str:
    return model.__name__[0].lower() + model.__name__[1:]


def _message(model: type[CloudEvent]) -> Node:
    (channel,) = (channel for channel in CHANNELS if model in channel.models)
    return {
        "name": str(model.__struct_config__.tag),
        "title": model.__name__,
        "summary": (model.__doc__ or "").splitlines()[0].replace("``", "`"),
        "contentType": "application/cloudevents+json",
        "headers": {
            "type": "object",
            "properties": {
                "content-type": {"type": "string", "description": f"Written as `{_STRUCTURED}`."},
            },
        },
        "payload": {
            "schemaFormat": _SCHEMA_FORMAT,
            "schema": {"$ref": f"./json/{message_type(model).file}"},
        },
        "bindings": _bindings("string", channel.key),
    }


def _dead_letter() -> Node:
    (channel,) = (channel for channel in CHANNELS if not channel.models)
    return {
        "name": "dead-letter",
        "title": "DeadLetter",
        "summary": "A message that was refused, byte for byte, with the reason and its coordinates.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "description": "The headers as they came, then these.",
            "required": list(DEAD_LETTER_HEADERS),
            "properties": {
                name: {"type": "string", "description": meaning}
                for name, meaning in DEAD_LETTER_HEADERS.items()
            },
        },
        "bindings": _bindings(["string", "null"], channel.key),
    }


def _bindings(key_type: str | list[str], key: str) -> Node:
    return {
        "kafka": {"key": {"type": key_type, "description": key}, "bindingVersion": _KAFKA_MESSAGE},
    }
