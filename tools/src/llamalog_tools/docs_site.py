"""The hooks of MkDocs: documents from outside docs/, the contract page, the list of decisions, and links.

A link in a document is a path in the repository. On the site a link to a document leads to its page; any
other path (a folder, a source file) is shown as text.
"""

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

CHECKOUT: Final = Path(__file__).resolve().parents[3]

FROM_ROOT: Final = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "release-notes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""Pages of the site by their documents in the repository's root."""

_MESSAGES: Final = "messages.md"
_CONTRACT: Final = "contract-page.html"
_MESSAGES_PAGE: Final = f"""# Topics and messages

Every topic, message and field, generated from the models: **[the contract page]({_CONTRACT})**. For machines
the same is in `schemas/asyncapi.yaml` and `schemas/json/`. The rules in words: [the contract](contract.md).
"""
_LINK: Final = re.compile(r"\[([^\]\n]*)\]\(([^)\s]+)\)")
_MERMAID: Final = re.compile(r"^```mermaid$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the decisions in the navigation."""
    decisions = sorted((CHECKOUT / "docs/adr").glob("*.md"))
    entries = [{_title(decision): f"adr/{decision.name}"} for decision in decisions]
    config.nav = [{"Decisions": entries} if "Decisions" in part else part for part in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages whose source is not in docs/."""
    for document, page in FROM_ROOT.items():
        files.append(File.generated(config, page, content=(CHECKOUT / document).read_text()))
    files.append(File.generated(config, _MESSAGES, content=_MESSAGES_PAGE))
    contract = (CHECKOUT / "build/contract.html").read_text()
    files.append(File.generated(config, _CONTRACT, content=contract))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn paths of the repository into links; diagrams stay text, their renderer would be remote."""
    path = page.file.src_uri
    if path == _MESSAGES:
        return markdown
    source = {site: document for document, site in FROM_ROOT.items()}.get(path, f"docs/{path}")

    def on_site(match: re.Match[str]) -> str:
        return site_link(match[1], match[2], source, path)

    return _MERMAID.sub("```text", _LINK.sub(on_site, markdown))


def site_link(text: str, target: str, source: str, page: str) -> str:
    """A link of a document as its page shows it.

    Args:
        text: of the link.
        target: where it leads: a path beside the document, with or without an anchor, or an address.
        source: the document, from the repository's root.
        page: its page, from the site's root.
    """
    if target.startswith("#") or "://" in target:
        return f"[{text}]({target})"
    path, _, anchor = target.partition("#")
    document = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    linked = FROM_ROOT.get(document)
    if linked is None and document.startswith("docs/") and document.endswith(".md"):
        linked = document.removeprefix("docs/")
    if linked is None:
        return text
    relative = posixpath.relpath(linked, posixpath.dirname(page) or ".")
    return f"[{text}]({relative}{'#' if anchor else ''}{anchor})"


def _title(document: Path) -> str:
    """The number and heading of a decision."""
    heading = document.read_text().partition("\n")[0].removeprefix("#").strip()
    return heading if heading[:1].isdigit() else f"{int(document.name[:4])}. {heading}"
