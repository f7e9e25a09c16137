"""The identity of a stack: what changes an answer, and nothing else."""

import pytest

from lamellar import ChatOptions, ConfigError, Stack, Target
from lamellar.identity import identity_of, identity_of_options
from lamellar.middleware import Fallback, Retry, Timeout
from lamellar.providers import OpenAI


def identity(*plates):
    return Stack(*plates).identity()


PLAIN = identity(OpenAI(base_url="http://a.test"))


@pytest.mark.parametrize(
    "plates",
    [
        (OpenAI(base_url="http://b.test"),),
        (OpenAI(base_url="http://a.test", headers={"x-tier": "gold"}),),
        (Fallback(Target(OpenAI(base_url="http://a.test"), model="m")),),
        (Fallback(OpenAI(base_url="http://a.test"), OpenAI(base_url="http://c.test")),),
    ],
)
def test_what_changes_an_answer_is_in_it(plates):
    assert identity(*plates) != PLAIN


def test_what_changes_none_is_not():
    key, other = OpenAI(base_url="http://a.test", api_key="k-1"), OpenAI(base_url="http://a.test", api_key="k-2")
    assert identity(key) == identity(other) == PLAIN
    assert identity(Retry(), Timeout(total=3), key) == PLAIN
    secret = OpenAI(base_url="http://a.test", headers={"authorization": "Bearer k-3"})
    assert "k-3" not in str(identity(secret))


def test_a_target_is_told_by_model_and_options():
    leaf = OpenAI(base_url="http://a.test")
    targets = [
        Target(leaf),
        Target(leaf, model="a"),
        Target(leaf, model="a", options=ChatOptions(temperature=0)),
        Target(leaf, model="a", unset=("seed",)),
    ]
    found = [str(target.identity()) for target in targets]
    assert len(set(found)) == len(found)
    assert Target(leaf, name="x", context_window=3, prefill=True).identity() == Target(leaf).identity()


def test_a_rule_of_a_fallback_counts_and_its_hook_does_not():
    leaf = OpenAI(base_url="http://a.test")
    assert identity(Fallback(leaf, rules={"content_filtered": True})) != identity(Fallback(leaf))
    assert identity(Fallback(leaf, on_fallback=print)) == identity(Fallback(leaf))
    assert identity(Fallback(leaf, accept="builtins:bool")) != identity(Fallback(leaf))


def test_code_without_a_name_has_none():
    with pytest.raises(ConfigError, match="no importable name"):
        identity_of((Fallback(OpenAI(), accept=lambda answer: True),))


def test_options_are_what_is_sent():
    said = ChatOptions(
        temperature=0.5,
        capture_raw_body=True,
        call={"tags": {"a": "b"}},
        extra_headers={"X-Beta": "1", "x-api-key": "k"},
    )
    assert identity_of_options(said) == {"temperature": 0.5, "extra_headers": {"x-beta": "1"}}
    assert identity_of_options(ChatOptions(call={"priority": 3})) == {}
