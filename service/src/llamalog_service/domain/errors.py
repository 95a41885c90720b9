"""The errors of the service; an error's docstring says when it is raised, its message what to do."""


class LlamalogError(Exception):
    """The base of every error that the service raises on purpose."""
