"""The site of the documents: built offline and strictly, complete, and without requests to other hosts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llamalog_tools.docs_site import FROM_ROOT, site_link

CHECKOUT = Path(__file__).resolve().parents[3]
LOADED = re.compile(r"<(?:link|script|img|iframe|source)\b[^>]*?(?:href|src)=\"?((?:https?:)?//[^\" >]+)")
STYLED = re.compile(r"url\(['\"]?((?:https?:)?//[^)]+)\)|@import ['\"]?(\S+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    contract = CHECKOUT / "build/contract.html"
    subprocess.run([sys.executable, "-m", "llamalog_tools.contract_page", contract], check=True)
    folder = tmp_path_factory.mktemp("docs") / "site"
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder],
        check=True,
        cwd=CHECKOUT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    return folder


@pytest.mark.slow
def test_every_document_is_a_page(site: Path) -> None:
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    documents = {path.relative_to(CHECKOUT / "docs").as_posix() for path in CHECKOUT.glob("docs/**/*.md")}
    wanted = {document.removesuffix(".md") + ".html" for document in documents | set(FROM_ROOT.values())}
    assert wanted - pages == set()
    assert "contract-page.html" in pages
    navigation = (site / "index.html").read_text()
    assert [
        page for page in sorted(wanted) if f'href="{page}"' not in navigation and page != "index.html"
    ] == []


@pytest.mark.slow
def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    loaded = {found for page in site.rglob("*.html") for found in LOADED.findall(page.read_text())}
    styled = {found for style in site.rglob("*.css") for found in STYLED.findall(style.read_text())}
    assert (loaded, styled) == (set(), set())
    assert not any("class=mermaid" in page.read_text().replace('"', "") for page in site.rglob("*.html"))


@pytest.mark.parametrize(
    ("target", "source", "page", "link"),
    [
        ("docs/api.md", "README.md", "index.md", "[a](api.md)"),
        ("../README.md", "docs/api.md", "api.md", "[a](index.md)"),
        ("../../ARCHITECTURE.md#map", "docs/adr/0001-x.md", "adr/0001-x.md", "[a](../architecture.md#map)"),
        ("rebuild.md#how", "docs/api.md", "api.md", "[a](rebuild.md#how)"),
        ("docs/adr/0001-x.md", "ARCHITECTURE.md", "architecture.md", "[a](adr/0001-x.md)"),
        ("../schemas/json/x.json", "docs/api.md", "api.md", "a"),
        ("docs/adr/", "README.md", "index.md", "a"),
        ("#here", "docs/api.md", "api.md", "[a](#here)"),
    ],
)
def test_a_path_of_the_repository_becomes_a_link_of_the_site(
    target: str, source: str, page: str, link: str
) -> None:
    assert site_link("a", target, source, page) == link
