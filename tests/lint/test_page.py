"""The page about the lint tells every code there is, and each of its examples triggers the one it stands under."""

from __future__ import annotations

import re

import pytest
from tests.docs.pages import PAGES, blocks_of, code_of, headings, section, table

from lamellar import Stack
from lamellar.lint import CODES
from lamellar.order import Rank
from lamellar.registry import kinds, lookup
from lamellar.spec import ExecutorSpec, LayerSpec

PAGE = PAGES / "lint.md"


def examples() -> dict[str, list[str]]:
    """The YAML blocks of each code's section."""
    parts = re.split(r"^### (\S+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        code: re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for code, text in zip(parts[::2], parts[1::2], strict=True)
    }


def test_the_table_is_the_codes() -> None:
    rows = table(section(PAGE, "Codes"), "code")
    assert {code_of(row[0]): row[1] for row in rows} == CODES
    assert [code_of(row[0]) for row in rows] == headings(PAGE, 3) == list(CODES)


@pytest.mark.parametrize("code", CODES)
def test_an_example_triggers_its_code(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "k")
    if code == "inner-retries":  # in Python, since a file holds no object; the page runs it
        assert any("max_retries" in block.code for block in blocks_of(PAGE) if block.language == "python")
        return
    (text,) = examples()[code]
    found = [each.code for each in Stack.loads(text).lint()]
    assert code in found
    assert len([each for each in found if CODES[each] != "hint"]) <= 2, found


def test_the_page_on_concepts_shows_the_order_of_ranks() -> None:
    rows = table(section(PAGES / "concepts.md", "The order of layers"), "place")
    ranks = {
        model.__name__: model.rank
        for base in (LayerSpec, ExecutorSpec)
        for kind in kinds(base)  # type: ignore[type-abstract]
        if (model := lookup(kind, base)).rank is not None  # type: ignore[type-abstract]
    }
    told = [[name for name in re.findall(r"`(\w+)", row[1]) if name in ranks] for row in rows]
    shown = [{ranks[name] for name in names} for names in told if names]
    assert [rank for each in shown for rank in each] == list(Rank)
    assert {name for names in told for name in names} == set(ranks)
