"""The compiled kernels, where they were built: the same bytes as their counterparts in Python, sooner.

Each is used by the module that has its counterpart, which defines what it returns.
"""

from types import ModuleType

compiled: ModuleType | None
try:
    import _llamalog_kernels
except ImportError:
    compiled = None
else:
    compiled = _llamalog_kernels


def form() -> str:
    """The form of the hottest steps in this process, for the log."""
    return "pure Python" if compiled is None else "compiled"
