"""What a picture shows, whatever it is drawn with."""

from __future__ import annotations

import pytest
from tests.pictures.gallery import composites, shadowed

from lamellar.chat.options import ChatOptions
from lamellar.durations import parse_duration, spell_duration
from lamellar.middleware import Cache, Chaos, Fallback, Hedge, Log, Redact, Retry, RetryBudget, Target, Timeout
from lamellar.pictures.outline import Branch, outline, sentences
from lamellar.pictures.words import clipped, option, text_width
from lamellar.providers import OpenAI
from lamellar.stack import Stack


def said(layer) -> tuple[str, ...]:
    return outline(Stack(layer, OpenAI())).plates[0].said


def ways(branch: Branch) -> list[list[str]]:
    """The ways of every plate that has branches, outermost first."""
    found = []
    for plate in branch.plates:
        if plate.branches:
            found.append([each.way for each in plate.branches])
        for each in plate.branches:
            found += ways(each)
    return found


def test_targets_are_numbered_and_weights_delays_and_patterns_are_told() -> None:
    assert ways(outline(composites())) == [
        ["1", "2", "3", "4", "5"],
        ["1", "2: after p95, 250ms at first", "3: when one fails"],
        ["gpt-*", "big or above 1000 tokens or model o* and tag team=law", "all others"],
        ["weight 3", "weight 1"],
    ]


def test_a_hedge_is_told_with_its_default_delay_too() -> None:
    assert ways(outline(Stack(Hedge(OpenAI(), OpenAI())))) == [["1", "2: after 2s"]]


def test_the_order_is_that_of_the_stack_and_a_plate_has_its_role() -> None:
    plates = outline(composites()).plates
    assert [(plate.title, plate.role) for plate in plates] == [("timeout", "layer"), ("fallback", "composite")]
    first, *_, last = plates[1].branches
    assert [plate.title for plate in first.plates] == ["retry", "rate_limit", "openai"]
    assert [(plate.title, plate.role) for plate in last.plates] == [("mine", "provider")]


def test_what_a_layer_leads_to_besides_is_a_branch_of_it() -> None:
    plates = outline(shadowed()).plates
    assert [plate.title for plate in plates] == ["retry", "shadow", "timeout", "openai"]
    assert [(branch.way, branch.name) for branch in plates[1].branches] == [("copy", "openai/new")]


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (Retry(), ()),
        (Timeout(total=300, first_content="90s", reserve=0.5), ("total: 5m", "first_content: 1m30s", "reserve: 0.5")),
        (Cache(ttl=3600, max_bytes="64MB", max_entries=5), ("ttl: 1h", "max_entries: 5", "max_bytes: 64MB")),
        (Cache(max_bytes=1 << 21, store={"sqlite": {"path": "c.db"}}), ("max_bytes: 2MiB", "store: {path: c.db}")),
        (Retry(kinds={"overloaded": {"initial": 2}}), ("kinds: {overloaded: {initial: 2s}}",)),
        (Retry(budget=RetryBudget(window=60), window=None), ("window: null", "budget: {window: 1m}")),
        (Chaos(latency=(0.1, 2), errors={"overloaded": 0.5}), ("errors: {overloaded: 0.5}", "latency: [100ms, 2s]")),
        (Log(slow="1.5s", content=True), ("slow: 1.5s", "content: true")),
        (Retry(on_retry=print), ("on_retry: builtins:print",)),
    ],
)
def test_options_are_told_as_a_file_spells_them(layer, told) -> None:
    assert sorted(said(layer)) == sorted(told)


def test_a_targets_options_are_told_where_its_name_does_not_say_them() -> None:
    target = Target(OpenAI(), name="main", model="gpt", options=ChatOptions(seed=1), prefill=True)
    branch = outline(Stack(Fallback(target))).plates[0].branches[0]
    assert (branch.name, branch.said) == ("main", ("model: gpt", "options: {seed: 1}", "prefill: true"))


def test_no_secret_is_told() -> None:
    headers = {"x-api-key": "open-sesame", "x-env": {"env": "NAME"}}
    target = Target(
        OpenAI(api_key="open-sesame", headers=headers), options=ChatOptions(extra_headers={"x-token": "hushhush"})
    )
    stack = Stack(Redact(custom={"own": "x"}), Fallback(target, OpenAI(api_key={"env": "SOME_KEY"})))
    drawn = repr(outline(stack)) + stack.to_mermaid() + stack.to_svg()
    assert "open-sesame" not in drawn
    assert "hushhush" not in drawn
    assert "api_key: {env: SOME_KEY}" in drawn


def test_the_picture_is_told_in_sentences() -> None:
    stack = Stack(Timeout(total=5), Fallback(Target(Retry(attempts=2), OpenAI(), model="a"), OpenAI()))
    assert list(sentences(outline(stack))) == [
        "A call passes timeout (total: 5s), then fallback.",
        "fallback: 1 openai/a passes retry (attempts: 2), then openai.",
        "fallback: 2 openai passes openai.",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (0.0005, "0.5ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (60, "1m"),
        (90, "1m30s"),
        (5400, "1h30m"),
        (86400, "1d"),
        (90061.25, "1d1h1m1.25s"),
        (59.9999, "1m"),
    ],
)
def test_a_duration_is_spelled_so_that_it_can_be_read_again(seconds: float, text: str) -> None:
    assert spell_duration(seconds) == text
    assert parse_duration(text) == pytest.approx(seconds, abs=0.001)


def test_a_text_that_is_too_long_is_cut_to_its_columns() -> None:
    assert clipped("abcdef", 6) == "abcdef"
    assert clipped("abcdefg", 6) == "abcde…"
    assert clipped("漢字漢字", 6) == "漢字…"
    assert text_width("漢字a") == 5
    assert len(option("x", {str(number): "y" * 50 for number in range(1000)})) <= 200
