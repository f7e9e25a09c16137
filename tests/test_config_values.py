"""Values that stand elsewhere, and values of the wrong type."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest

from lamellar.chat.options import ChatOptions
from lamellar.errors import ConfigError
from lamellar.middleware import Cache, Chaos, Hedge, RateLimit, Retry, Route, Timeout
from lamellar.providers import OpenAI
from lamellar.secrets import Secret
from lamellar.stack import Stack
from lamellar.target import Target


def loaded(layer: str, executor: str = "openai") -> Stack:
    return Stack.loads(f"layers: [{layer}]\nexecutor: {executor}")


# -- from the environment and from files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "layer", "expected"),
    [
        ("5", "retry: {attempts: {env: VALUE}}", Retry(attempts=5)),
        ("1.5", "retry: {multiplier: {env: VALUE}}", Retry(multiplier=1.5)),
        ("2", "retry: {multiplier: {env: VALUE}}", Retry(multiplier=2)),
        ("10s", "timeout: {total: {env: VALUE}}", Timeout(total=10)),
        ("10", "timeout: {total: {env: VALUE}}", Timeout(total=10)),
        ("no", "cache: {single_flight: {env: VALUE}}", Cache(single_flight=False)),
        ("true", "cache: {store_fallback: {env: VALUE}}", Cache(store_fallback=True)),
        ("64MB", "cache: {max_bytes: {env: VALUE}}", Cache(max_bytes=64_000_000)),
        ("3", "cache: {namespace: {env: VALUE}}", Cache(namespace="3")),
        ("500/min", "rate_limit: {requests: {env: VALUE}}", RateLimit(requests_per_minute=500)),
        ("model", "rate_limit: {requests: 1/s, per: [{env: VALUE}]}", RateLimit(requests_per_second=1, per=("model",))),
        ("true", "chaos: {enabled: {env: VALUE}}", Chaos(enabled=True)),
    ],
)
def test_text_from_the_environment_is_read_as_the_option_wants_it(
    text: str, layer: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALUE", text)
    stack = loaded(layer)
    assert stack.layers == (expected,)
    assert "VALUE" not in stack.dump()  # the value is dumped
    assert Stack.loads(stack.dump()) == stack


def test_a_default_stands_where_the_variable_or_the_file_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMPTY", "")
    for said in ("env: NOBODY_SETS_THIS", "env: EMPTY", "file: gone.txt"):
        assert loaded(f"retry: {{attempts: {{{said}, default: 7}}}}").layers == (Retry(attempts=7),)


def test_a_file_is_found_beside_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "attempts").write_text("4\n")
    (tmp_path / "conf" / "key").write_text("sk-in-the-file")
    document = tmp_path / "conf" / "stack.yaml"
    document.write_text("layers: [{retry: {attempts: {file: attempts}}}]\nexecutor: {openai: {api_key: {file: key}}}")
    monkeypatch.chdir(tmp_path)
    stack = Stack.load("conf/stack.yaml")
    monkeypatch.chdir("/")
    assert stack.layers == (Retry(attempts=4),)
    assert stack.executor.api_key.resolve("api_key") == "sk-in-the-file"  # type: ignore[attr-defined]
    assert "sk-in-the-file" not in stack.dump() + repr(stack)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("retry: {attempts: {env: GONE}}", "attempts: the environment variable GONE is not there; export it, or add a"),
        ("retry: {attempts: {file: gone}}", "attempts: the file gone is not there; write it"),
        ("retry: {attempts: {env: WORD}}", "attempts: expected a whole number, got text of 4 characters (from the"),
        ("retry: {multiplier: {env: WORD}}", "multiplier: expected a number, got text of 4 characters"),
        ("cache: {single_flight: {env: WORD}}", "single_flight: expected true or false, got text of 4 characters"),
        ("timeout: {total: {env: WORD}}", "got text of 4 characters (from the environment variable WORD)"),
        ("retry: {attempts: {env: ZERO}}", "got int of 1 character (from the environment variable ZERO)"),
        ("retry: {attempts: {env: GONE, default: '3'}}", "got str '3' (the default, for the environment variable GONE"),
        ("retry: {attempts: {env: GONE, defualt: 3}}", "'defualt' is neither"),
        ("retry: {attempts: {env: GONE, file: gone}}", "from `env` or from `file`, not from both"),
        ("retry: {attempts: {env: 3}}", "env: expected the name of an environment variable, got int 3"),
        ("retry: {attempts: {env: [A]}}", "env: expected the name of an environment variable, got list"),
        ("retry: {attempts: {env: GONE, default: [3]}}", "default: expected a number, text or a switch"),
        ("retry: {attempts: {file: .}}", "attempts: .: cannot be read: it is a directory"),
    ],
)
def test_a_value_that_cannot_be_had_is_told_with_its_place_and_its_name(
    layer: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORD", "soon")
    monkeypatch.setenv("ZERO", "0")
    monkeypatch.delenv("GONE", raising=False)
    with pytest.raises(ConfigError) as caught:
        loaded(layer)
    (problem,) = caught.value.problems
    assert problem.startswith("line 1, column ")
    assert "layers[0]." in problem
    assert said in problem


@pytest.mark.parametrize(
    "layer",
    [
        "retry: {attempts: {env: PASSWORD}}",
        "retry: {jitter: {env: PASSWORD}}",
        "retry: {on_retry: {env: PASSWORD}}",
        "timeout: {total: {env: PASSWORD}}",
        "rate_limit: {requests: {env: PASSWORD}}",
        "cache: {max_bytes: {env: PASSWORD}}",
    ],
)
def test_a_variable_that_was_mistaken_is_not_shown(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "hunter2 and more x")
    with pytest.raises(ConfigError) as caught:
        loaded(layer)
    assert "hunter2" not in str(caught.value)
    assert "text of 18 characters" in str(caught.value)
    assert "(from the environment variable PASSWORD)" in str(caught.value)


def test_a_number_from_elsewhere_is_not_shown_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", "-48213")
    with pytest.raises(ConfigError, match="got int of 6 characters") as caught:
        loaded("retry: {attempts: {env: PIN}}")
    assert "48213" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        ("executor: {openai: {api_key: {hunter2: x}}}", "yaml"),
        ("executor: {openai: {api_key: [{hunter2: x}]}}", "yaml"),
        ("executor: {openai: {api_key: !hunter2 }}", "yaml"),
        ("executor: {openai: {api_key: !hunter2!x y}}", "yaml"),
        ("executor: {openai: {api_key: *hunter2 }}", "yaml"),
        ("executor: {openai: {api_key: !!int hunter2 }}", "yaml"),
        ('{"executor": {"openai": {"api_key": hunter2}}}', "json"),
    ],
)
def test_a_key_that_was_written_in_the_wrong_way_is_not_shown(text: str, format_: Literal["yaml", "json"]) -> None:
    with pytest.raises(ConfigError) as caught:
        Stack.loads(text, format_)
    assert "hunter2" not in str(caught.value)


def test_the_name_of_a_route_may_come_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = {"fast": OpenAI(), "slow": OpenAI(verify=False)}
    text = "executor: {route: {routes: {fast: openai, slow: {openai: {verify: false}}}, default: %s}}"
    monkeypatch.setenv("WAY", "slow")
    monkeypatch.delenv("GONE", raising=False)
    assert Stack.loads(text % "{env: WAY}") == Stack(Route(routes, default="slow"))
    assert Stack.loads(text % "{env: GONE, default: fast}") == Stack(Route(routes, default="fast"))
    with pytest.raises(ConfigError, match="default: the environment variable GONE is not there"):
        Stack.loads(text % "{env: GONE}")
    assert Stack.loads(text % "{openai: {verify: false}}") == Stack(Route(routes, default=OpenAI(verify=False)))


def test_a_key_stays_a_reference_and_takes_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "sk-secret")
    stack = Stack.loads("executor: {openai: {api_key: {env: KEY}, headers: {x-key: {env: KEY}}}}")
    assert stack.executor == OpenAI(api_key=Secret(env="KEY"), headers={"x-key": Secret(env="KEY")})
    with pytest.raises(ConfigError, match="api_key: a key has no default, which would be a secret in a file"):
        Stack.loads("executor: {openai: {api_key: {env: KEY, default: x}}}")


def test_the_environment_changes_nothing_that_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUE", "5")
    assert Stack.loads("executor: {openai: {base_url: 'http://$VALUE/${VALUE}'}}") == Stack(
        OpenAI(base_url="http://$VALUE/${VALUE}")
    )
    assert os.environ["VALUE"] == "5"


# -- types -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Retry(attempts=True), "attempts: expected a valid integer, got bool True"),
        (lambda: Retry(attempts="3"), "attempts: expected a valid integer, got str '3'"),  # type: ignore[arg-type]
        (lambda: Retry(attempts=3.7), "attempts: expected a valid integer, got float 3.7"),  # type: ignore[arg-type]
        (lambda: Retry(multiplier="2"), "multiplier: expected a valid number, got str '2'"),  # type: ignore[arg-type]
        (lambda: Retry(multiplier=True), "multiplier: expected a valid number, got bool True"),
        (lambda: Cache(ttl=True), "ttl: expected a duration"),
        (lambda: Cache(max_bytes=True), "max_bytes: expected a size"),
        (lambda: Cache(single_flight=1), "single_flight: expected a valid boolean, got int 1"),  # type: ignore[arg-type]
        (lambda: OpenAI(verify="no"), "verify: expected a valid boolean, got str 'no'"),  # type: ignore[arg-type]
        (lambda: Target(OpenAI(), context_window="8000"), "context_window: expected a valid integer, got str '8000'"),
        (lambda: ChatOptions(temperature="1"), "temperature: expected a valid number"),  # type: ignore[arg-type]
        (lambda: ChatOptions(seed=True), "seed: expected a valid integer"),
        (lambda: RateLimit(requests=5), "requests: expected a rate such as '500/min'"),  # type: ignore[arg-type]
        (lambda: Hedge(OpenAI(), OpenAI(), budget={"ratio": True}), "budget.ratio: expected a valid number"),
    ],
)
def test_nothing_is_guessed_from_a_value_of_another_type(wrong, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        wrong()
    assert said in str(caught.value)


def test_a_whole_number_is_a_number_and_lists_and_words_are_taken_as_before() -> None:
    assert ChatOptions(temperature=1).temperature == 1.0
    assert loaded("retry: {kinds: {overloaded: {attempts: 2}}}").layers[0].kinds  # type: ignore[attr-defined]
