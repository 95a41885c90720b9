"""Puts the migrations, and the compiled kernels where they can be built, into what is built."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
from build_kernels import build_kernels  # beside this file, which is in no package


class Additions(BuildHookInterface[Any]):
    """An installed service migrates its database too; an editable one has the checkout, and pure Python."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name what is to be taken along, and where to."""
        self._take_migrations(version, build_data)
        if self.target_name == "wheel" and version != "editable":
            self._scratch = tempfile.TemporaryDirectory()
            if kernels := build_kernels(Path(self._scratch.name)):
                build_data["force_include"][str(kernels)] = kernels.name
                build_data.update(pure_python=False, infer_tag=True)

    def finalize(self, *_: Any) -> None:
        """Remove what was built for the wheel alone."""
        if hasattr(self, "_scratch"):
            self._scratch.cleanup()

    def _take_migrations(self, version: str, build_data: dict[str, Any]) -> None:
        """A checkout has them beside the service, an sdist within."""
        within = Path(self.root, "migrations")
        if version == "editable" or (self.target_name == "sdist" and within.is_dir()):
            return
        source = within if within.is_dir() else Path(self.root).parent / "migrations"
        target = "migrations" if self.target_name == "sdist" else "llamalog_service/_bundled/migrations"
        build_data["force_include"][str(source)] = target
