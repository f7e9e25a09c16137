"""The pages of the documentation, as text, code blocks, tables and headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = DOCS / "pages"

_FENCE = re.compile(r"^```(?P<language>\w*)(?P<info>[^\n`]*)\n(?P<code>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]*)"')


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its title, its code, and the line of its fence."""

    language: str
    title: str
    code: str
    line: int


def blocks_of(page: Path, *, until: str | None = None) -> list[Block]:
    """The fenced blocks of a page, in order; as far as the line `until`."""
    text = page.read_text(encoding="utf-8")
    if until is not None and f"\n{until}\n" in text:
        text = text[: text.index(f"\n{until}\n")]
    found = []
    for match in _FENCE.finditer(text):
        title = _TITLE.search(match["info"])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match["language"], title[1] if title else "", match["code"], line))
    return found


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path, level: int) -> list[str]:
    """The headings of one level, in order."""
    mark = "#" * level + " "
    return [line.removeprefix(mark).strip() for line in prose(page).splitlines() if line.startswith(mark)]


def section(page: Path, heading: str) -> str:
    """What stands below a heading of the second level."""
    found = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"{page.name} has no section '{heading}'"
    return found[1]


def table(text: str, first: str) -> list[list[str]]:
    """The rows of the table whose first column is called `first`, each a list of its cells."""
    rows: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if cells[0] == first:
            inside = True
        elif inside and not set(cells[0]) <= set("-: "):
            rows.append(cells)
    assert rows, f"there is no table whose first column is '{first}'"
    return rows


def code_of(cell: str) -> str:
    """The first code span of a cell."""
    found = re.search(r"`([^`]+)`", cell)
    assert found is not None, f"no code in the cell {cell!r}"
    return found[1]
