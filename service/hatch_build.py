"""Puts the migrations into what is built; a checkout has them beside the service, an sdist within."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Migrations(BuildHookInterface[Any]):
    """An installed service migrates its database too; an editable one has the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the folder that is to be taken along, and where to."""
        within = Path(self.root, "migrations")
        if version == "editable" or (self.target_name == "sdist" and within.is_dir()):
            return
        source = within if within.is_dir() else Path(self.root).parent / "migrations"
        target = "migrations" if self.target_name == "sdist" else "llamalog_service/_bundled/migrations"
        build_data["force_include"][str(source)] = target
