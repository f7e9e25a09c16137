"""A stack as a tree."""

from __future__ import annotations

from textwrap import dedent

import pytest
from tests.pictures.gallery import shadowed

from lamellar.chat.options import ChatOptions
from lamellar.middleware import Balance, Fallback, Hedge, Retry, Target, Timeout
from lamellar.providers import OpenAI
from lamellar.stack import Stack
from lamellar.testing import ScriptedExecutor


@pytest.fixture(autouse=True)
def _without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def tree(text: str) -> str:
    return dedent(text).strip("\n")


def test_a_stack_like_the_one_on_the_front_page() -> None:
    stack = Stack(
        Timeout(total=300, first_content=10, idle=15),
        Fallback(
            Target(Retry(attempts=3), OpenAI(), model="gpt-4o-mini"),
            Target(Retry(attempts=2), ScriptedExecutor(name="mine"), model="claude-haiku-4-5"),
        ),
    )
    assert stack.describe() == tree(
        """
        stack
        └─ timeout total=300 first_content=10 idle=15
           └─ fallback
              ├─ target openai/gpt-4o-mini
              │  └─ retry attempts=3
              │     └─ openai
              └─ target mine/claude-haiku-4-5
                 └─ retry attempts=2
                    └─ given mine
        """
    )


def test_composites_inside_targets_and_layers_round_them() -> None:
    inner = Fallback(OpenAI(), ScriptedExecutor(name="last"), name="pair")
    stack = Stack(Retry(), Fallback(Target(Timeout(total=5), inner, name="both"), OpenAI()))
    assert stack.describe() == tree(
        """
        stack
        └─ retry
           └─ fallback
              ├─ target both
              │  └─ timeout total=5
              │     └─ fallback name=pair
              │        ├─ target openai
              │        │  └─ openai
              │        └─ target last
              │           └─ given last
              └─ target openai
                 └─ openai
        """
    )


def test_a_target_shows_what_its_label_does_not() -> None:
    stack = Stack(Fallback(Target(OpenAI(), name="main", model="gpt", options=ChatOptions(seed=1), prefill=True)))
    assert "target main model=gpt options=ChatOptions(seed=1) prefill=True" in stack.describe()


def test_long_values_are_cut_and_secrets_are_not_shown() -> None:
    shown = Stack(
        OpenAI(api_key="open-sesame", headers={"x-api-key": "open-sesame"}, base_url="http://h/" + "x" * 99)
    ).describe()
    assert "open-sesame" not in shown
    assert "..." in shown
    assert "x" * 60 not in shown


def test_what_leads_to_a_target_is_told_where_the_order_does_not_say_it() -> None:
    stack = Stack(Fallback(Balance(OpenAI(), OpenAI(), weights=(3, 1)), Hedge(OpenAI(), Target(OpenAI(), model="b"))))
    assert stack.describe() == tree(
        """
        stack
        └─ fallback
           ├─ target balance
           │  └─ balance weights=(3.0, 1.0)
           │     ├─ [weight 3] target openai
           │     │  └─ openai
           │     └─ [weight 1] target openai
           │        └─ openai
           └─ target hedge
              └─ hedge
                 ├─ target openai
                 │  └─ openai
                 └─ [2: after 2s] target openai/b
                    └─ openai
        """
    )


def test_what_a_layer_leads_to_stands_before_the_next_plate() -> None:
    assert shadowed().describe() == tree(
        """
        stack
        └─ retry
           └─ shadow
              ├─ [copy] target openai/new
              │  └─ openai
              └─ timeout total=5
                 └─ openai
        """
    )
