"""The stacks of the front page keep to what the lint says; `tests/docs/run_page.py` sees to those of all others."""

from __future__ import annotations

import pytest
from tests.docs.pages import ROOT, Block, blocks_of

from lamellar import Stack

STACKS = [block for block in blocks_of(ROOT / "README.md") if block.language == "yaml"]


@pytest.mark.parametrize("block", STACKS, ids=lambda block: f"{block.line}")
def test_a_stack_of_the_front_page_is_clean(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "k")
    stack = Stack.loads(block.code)
    assert stack.lint() == ()
    assert None not in (stack.bounds().calls, stack.bounds().seconds)
