"""The compiled kernels, and how often one of them is called."""

from typing import Any


class CountedKernel:
    """The module of the kernels, whose calls of one function are counted."""

    def __init__(self, compiled: Any, name: str) -> None:
        self.copies = 0
        self._compiled = compiled
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._compiled, name)
        if name != self._name:
            return found

        def counted(*arguments: Any) -> Any:
            self.copies += 1
            return found(*arguments)

        return counted
