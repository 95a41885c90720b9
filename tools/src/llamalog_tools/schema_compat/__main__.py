"""``make compat``: exit code 1 if a published schema has changed its meaning."""

import sys

from llamalog_tools.schema_compat.check import compare_with_published

compared, lines = compare_with_published()
print(*lines, sep="\n", end="\n" if lines else "")
if lines:
    sys.exit(
        "A published schema is never edited. Revert the change, or make it a version of its own, with a "
        "step to it from this one: see docs/evolution.md."
    )
print(f"Every schema is compatible with {' and in '.join(compared)}.")
