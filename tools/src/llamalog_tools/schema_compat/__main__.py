"""``make compat``: exit code 1 if a published schema has changed its meaning."""

import sys

from llamalog_tools.schema_compat.check import complaints

compared, lines = complaints()
print(*lines, sep="\n", end="\n" if lines else "")
if lines:
    sys.exit(
        "A published schema is never edited. Take the change back, or make it a version of its own, with a "
        "step to it from this one: docs/evolution.md tells how."
    )
print(f"Every schema means what it meant in {' and in '.join(compared)}.")
