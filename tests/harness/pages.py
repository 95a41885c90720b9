"""Pages as a browser without scripts sees them: fetched, parsed, their links followed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

_VOID = frozenset({"meta", "link", "input", "img", "br", "hr", "path", "use", "circle", "rect"})


@dataclass
class Element:
    """An element of a page; the texts among its children are strings."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    def __iter__(self) -> Iterator["Element"]:
        """Itself and all below it, as in the document."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    @property
    def text(self) -> str:
        """What is read, in one line."""
        return " ".join("".join(self._texts()).split())

    def all(self, tag: str, of: str | None = None, **attributes: str) -> list["Element"]:
        """The elements of a tag, of a class, with these attributes (`data_key` is `data-key`)."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self
            if element.tag == tag
            and (of is None or of in element.attributes.get("class", "").split())
            and all(element.attributes.get(name) == value for name, value in wanted.items())
        ]

    def one(self, tag: str, of: str | None = None, **attributes: str) -> "Element":
        """The only such element."""
        found = self.all(tag, of, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {of or ''} {attributes}"
        return found[0]

    def link(self, text: str) -> str:
        """Where the first link of this text leads."""
        return next(link.attributes["href"] for link in self.all("a") if link.text == text)

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in ("style", "script"):
                yield from child._texts()


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("document")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> ends <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parse(text: str) -> Element:
    """A page, every element of which has to be closed where it belongs."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert builder._open == [builder.root], f"<{builder._open[-1].tag}> is never closed"
    return builder.root


@dataclass(frozen=True)
class Browser:
    """Requests pages."""

    client: httpx.Client

    def get(self, path: str, answers: int = 200, /, **parameters: str) -> Element:
        """A page, which has to answer with this status."""
        answer = self.client.get(path, params=parameters or None, follow_redirects=True)
        assert answer.status_code == answers, answer.text[:2000]
        return parse(answer.text)

    def leads_to(self, path: str, /, **parameters: str) -> str:
        """The target of the redirect of a page."""
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 303
        return answer.headers["location"]
