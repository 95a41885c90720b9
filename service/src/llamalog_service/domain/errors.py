"""The base of the errors of this distribution."""


class LlamalogError(Exception):
    """Something llamalog cannot do; the message says what was wrong, what happens now and what to do."""
