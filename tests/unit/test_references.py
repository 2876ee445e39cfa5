"""What code and documents point at stands in the repository, or is said in words."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("bot", "adapters", "core", "tests", "deploy")
SUFFIXES = {
    ".py",
    ".toml",
    ".md",
    ".js",
    ".html",
    ".css",
    ".mako",
    ".yaml",
    ".yml",
}
CITATIONS = re.compile(
    r"""§                                                     # a section of a page elsewhere
    | \b(product|architecture|contract|reliability|aesthetics|ecosystem|rivals)\.md
    | \b(reference|findings|seeds)/[a-z]
    | \b(IMG|UP|URL|SIG|OPT|TXT|WEB)-\d\d                    # rows of a table elsewhere
    | \([FKT]\d{1,2}[,)–…]
    """,
    re.VERBOSE,
)
PATH = re.compile(r"`((?:bot|core|adapters|tests|deploy)/[\w./-]+)`")
NAME = re.compile(r"`(\w+\.py)`")
"""A module of the document's own folder, without its path."""
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def documents() -> list[Path]:
    return sorted(path for path in texts() if path.suffix == ".md")


def texts() -> Iterator[Path]:
    for path in ROOT.iterdir():
        if path.is_file() and (
            path.suffix in SUFFIXES or path.name == "Makefile"
        ):
            yield path
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in SUFFIXES and path.name != "axe.min.js":
                yield path


@cache
def modules() -> set[str]:
    return {path.name for path in texts() if path.suffix == ".py"}


def test_nothing_is_cited_that_an_outsider_cannot_read() -> None:
    this_file = Path(__file__)
    dead = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        if path != this_file
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if CITATIONS.search(line)
    ]
    assert dead == []


@pytest.mark.parametrize(
    "document", documents(), ids=lambda path: str(path.name)
)
def test_every_path_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    for path in PATH.findall(text):
        assert (ROOT / path).exists(), path
    assert set(NAME.findall(text)) <= modules()
    for path in LINK.findall(text):
        assert (document.parent / path).exists(), path
