"""The files of the published contract, as text: what is committed must equal this, byte for byte."""

import json
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from llamalog_tools.contract_export.asyncapi import document
from llamalog_tools.contract_export.json_schemas import MODELS, message_type, schema_of

SCHEMAS: Final = Path(__file__).resolve().parents[4] / "schemas"
"""The distribution whose folder holds ``asyncapi.yaml`` and ``json/``."""

_HEAD = "# Made from the models by `make contract`; a test compares. Edit the models, not this file.\n"


def contract_files() -> dict[PurePosixPath, str]:
    """The text of every file, by its path inside the distribution's folder."""
    files = {PurePosixPath("json", message_type(model).file): _json(schema_of(model)) for model in MODELS}
    return files | {PurePosixPath("asyncapi.yaml"): _HEAD + _yaml(document())}


def committed_files() -> set[PurePosixPath]:
    """The files in the folders of the contract."""
    found = [*(SCHEMAS / "json").glob("*"), SCHEMAS / "asyncapi.yaml"]
    return {PurePosixPath(path.relative_to(SCHEMAS)) for path in found if path.exists()}


def write_contract() -> None:
    """Write every file; a file without a model is left for a person to delete."""
    for path, text in contract_files().items():
        target = SCHEMAS / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _yaml(node: dict[str, Any]) -> str:
    return yaml.dump(node, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Writes several paragraphs as a block, which people can read."""


def _paragraphs(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _paragraphs)
