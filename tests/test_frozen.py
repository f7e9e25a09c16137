"""What a person is told when an option is wrong."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatRequest
from lamellar.chat.tools import Tool
from lamellar.durations import Duration
from lamellar.errors import ConfigError
from lamellar.frozen import Frozen, nearest
from lamellar.middleware import Retry, Timeout
from lamellar.providers import OpenAI
from lamellar.secrets import AnySecret


class Cat(Frozen):
    type: Literal["cat"] = "cat"
    lives: int = 9


class Dog(Frozen):
    type: Literal["dog"] = "dog"
    bark: str = "woof"


class Inner(Frozen):
    ratio: float = Field(default=0.2, gt=0)
    name: str


class Outer(Frozen):
    attempts: int = Field(default=3, ge=1)
    wait: Duration = 1.0
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    by_name: dict[str, bool | Inner] = {}
    pet: Annotated[Cat | Dog, Field(discriminator="type")] | None = None
    mode: Literal["a", "b"] = "a"
    pair: tuple[int, Inner] | None = None
    key: AnySecret | None = None


def problems(**data: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        Outer(**data)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__  # pydantic's own error repeats the input
    return caught.value.problems


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"atempts": 3}, "atempts: unknown option; did you mean 'attempts'?"),
        (
            {"zzz": 3},
            "zzz: unknown option; valid names: attempts, by_name, inner, key, many, mode, pair, pet, wait",
        ),
        ({"attempts": "x"}, "attempts: expected a valid integer, got str 'x'"),
        ({"attempts": 0}, "attempts: expected greater than or equal to 1, got int 0"),
        ({"attempts": None}, "attempts: expected a valid integer, got nothing"),
        ({"wait": "x"}, "wait: expected a duration such as 10, '250ms', '10s', '1.5m' or '2h', got str 'x'"),
        ({"mode": "c"}, "mode: expected 'a' or 'b', got str 'c'"),
        ({"inner": {"name": "n", "ratoi": 1}}, "inner.ratoi: unknown option; did you mean 'ratio'?"),
        ({"inner": {}}, "inner.name: required, but missing"),
        ({"many": "x"}, "many: expected a list, got str 'x'"),
        ({"many": [{"name": "n"}, {"name": "n", "nmae": 1}]}, "many.1.nmae: unknown option; did you mean 'name'?"),
        ({"by_name": {"k": {"name": "n", "ratoi": 1}}}, "by_name.k.ratoi: unknown option; did you mean 'ratio'?"),
        ({"by_name": {1: True}}, "by_name.1: expected a valid string, got int 1"),
        ({"pet": {"type": "cow"}}, "pet.type: expected 'cat', 'dog', got str 'cow'"),
        ({"pet": {"type": "dog", "brak": 1}}, "pet.brak: unknown option; did you mean 'bark'?"),
        ({"pair": [1, {"nmae": "x", "name": "n"}]}, "pair.1.nmae: unknown option; did you mean 'name'?"),
        ({"key": 5}, "key: expected a key as text, {env: NAME} or {file: path}, got int"),
        ({"key": {"evn": "A"}}, "key.evn: unknown option; did you mean 'env'?"),
    ],
)
def test_one_wrong_thing_is_one_line_that_names_it(data: dict[str, object], problem: str) -> None:
    assert problems(**data) == (problem,)


def test_every_problem_is_told_at_once() -> None:
    told = problems(attempts=0, wait="x", many=[{}], nope=1)
    assert [line.partition(":")[0] for line in told] == ["attempts", "wait", "many.0.name", "nope"]


def test_each_line_of_the_message_names_the_model() -> None:
    with pytest.raises(ConfigError) as caught:
        Outer(attempts=0, mode="c")
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == ["Outer", "Outer"]


def test_a_choice_that_fits_no_member_tells_of_each() -> None:
    assert problems(by_name={"k": "x"}) == (
        "by_name.k: expected a valid boolean, got str 'x'",
        "by_name.k: expected a mapping or instance of Inner, got str 'x'",
    )


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: ChatOptions(call={"timeut": 3}), "call.timeut: unknown option; did you mean 'timeout'?"),
        (
            lambda: ChatRequest(messages=[{"role": "user", "content": [{"type": "text", "txt": "a"}]}]),
            "messages.0.content.0.txt: unknown option; did you mean 'text'?",
        ),
        (
            lambda: ChatRequest(messages=[{"role": "usr", "content": "hi"}]),
            "messages.0.role: expected 'system', 'user', 'assistant' or 'tool', got str 'usr'",
        ),
        (lambda: ChatOptions(max_tokens=0), "max_tokens: expected greater than 0, got int 0"),
    ],
)
def test_requests_and_options_are_told_alike(make, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert problem in caught.value.problems


def test_pydantics_own_validation_keeps_its_own_error() -> None:
    with pytest.raises(ValidationError):
        Outer.model_validate({"attempts": 0})


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Inner(name="a").name = "b"


def test_its_repr_is_the_code_that_makes_it() -> None:
    outer = Outer(attempts=2, wait="1s", many=[{"name": "n"}])
    assert repr(outer) == str(outer) == "Outer(attempts=2, wait=1.0, many=(Inner(name='n'),))"
    assert eval(repr(outer)) == outer


def test_the_nearest_name_or_all_of_them() -> None:
    assert nearest("retri", ["retry", "cache"]) == "; did you mean 'retry'?"
    assert nearest("x", ["b", "a"]) == "; valid names: a, b"
    assert nearest("x", []) == ""


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Timeout(300), r"Timeout: options are given by name, such as Timeout\(total=\.\.\.\); got int 300"),
        (lambda: Timeout(["x"]), "got list by position"),
        (lambda: Retry(num_retries=3), "num_retries: unknown option; did you mean 'attempts'"),
        (lambda: OpenAI(max_retries=3), "unknown option; tries are counted by the layer Retry"),
        (lambda: OpenAI(model="m"), "model: unknown option; the model stands on the Target, or in the call"),
        (lambda: ChatOptions(stop="x"), "did you mean 'stop_sequences'"),
        (lambda: ChatOptions(tags={}), r"call=CallContext\(tags="),
        (lambda: Tool(name="x", parameters={}), "did you mean 'schema'"),
    ],
)
def test_what_is_called_otherwise_elsewhere_is_told_by_its_name_here(make, said):
    with pytest.raises(ConfigError, match=said):
        make()
