"""Route: which target a call is for."""

from __future__ import annotations

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    ErrorKind,
    ExecutorError,
    Outcome,
    RejectedError,
    Stack,
    Target,
)
from lamellar.middleware import Balance, Cache, Fallback, Retry, Route, RouteRule
from lamellar.providers import OpenAI
from lamellar.testing import ScriptedExecutor, run_virtual

REQUEST = ChatRequest.from_user("hi")


def leaf(name: str) -> ScriptedExecutor:
    return ScriptedExecutor(name, name=name, repeat=True)


def ask(
    stack: Stack,
    model: str,
    request: ChatRequest = REQUEST,
    *,
    tags: dict[str, str] | None = None,
    stream: bool = False,
) -> object:
    """The response, or the error."""
    options = None if tags is None else ChatOptions(call=CallContext(tags=tags))

    async def main() -> object:
        async with stack.build() as executor:
            try:
                if stream:
                    return await (await executor.exec_chat_stream_events(model, request, options)).collect()
                return await executor.exec_chat_response(model, request, options)
            except (ExecutorError, RejectedError, ConfigError) as error:
                return error

    return run_virtual(main())


def routed(route: Route, model: str = "any", request: ChatRequest = REQUEST, **known: object) -> str:
    """The text of the target that answered."""
    return ask(Stack(route), model, request, **known).text


# -- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "route"),
    [
        ("gpt-4o", "exact"),
        ("gpt-4o-mini", "mini"),
        ("gpt-4.1", "four"),
        ("gpt-5", "gpt"),
        ("o3", "letter"),
        ("x3", "rest"),
        ("[", "rest"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_most_specific_name_wins(model: str, route: str, stream: bool) -> None:
    names = {"*": "rest", "gpt-*": "gpt", "gpt-4o": "exact", "gpt-4*": "four", "gpt-4*mini": "mini", "[a-o]?": "letter"}
    assert routed(Route({name: leaf(text) for name, text in names.items()}), model, stream=stream) == route


def test_of_two_patterns_that_say_as_much_the_first_written_wins() -> None:
    assert routed(Route({"*-mini": leaf("first"), "gpt-?*": leaf("second"), "gpt-*": leaf("third")}), "gpt-mini") == (
        "first"
    )


def test_a_name_with_wild_cards_is_also_a_name() -> None:
    assert routed(Route({"gpt-*": leaf("pattern"), "*": leaf("rest")}), "gpt-*") == "pattern"


def test_a_target_may_replace_the_model_and_without_its_own_the_callers_passes_through() -> None:
    own, bare = leaf("own"), leaf("bare")
    stack = Stack(Route({"fast": Target(own, model="gpt-4o-mini"), "gpt-*": bare}))
    assert ask(stack, "fast").model == "gpt-4o-mini"
    assert ask(stack, "gpt-5").model == "gpt-5"


def test_a_route_names_its_target_unless_that_has_a_name() -> None:
    stack = Stack(
        Route({"fast": Fallback(leaf("a"), leaf("b")), "smart": Target(leaf("c"), name="mine")}, default=leaf("d"))
    )
    assert [ask(stack, model).attempts[0].target for model in ("fast", "smart", "x")] == ["fast/a", "mine", "default"]
    executor = stack.build()
    executor.isolate("fast")
    assert executor.snapshot()["fast"] == {"isolated": True}
    assert executor.name == "route"


def test_a_failover_group_is_a_route() -> None:
    failing = ScriptedExecutor(ExecutorError("overloaded", "busy"), name="failing")
    stack = Stack(Route({"fast": Fallback(failing, leaf("spare")), "even": Balance(leaf("one"), leaf("two"))}))
    assert ask(stack, "fast").text == "spare"
    assert ask(stack, "even").text == "one"


# -- the default ------------------------------------------------------------------------------------------------


def test_every_other_call_goes_to_the_default() -> None:
    routes = {"a": leaf("a"), "b": leaf("b")}
    assert routed(Route(routes, default="b"), "x") == "b"
    assert routed(Route(routes, default=leaf("own")), "x") == "own"
    assert routed(Route(routes, default=Target(leaf("own"), model="m")), "a") == "a"


def test_a_text_as_default_is_a_route_before_it_is_a_kind_of_executor() -> None:
    assert Route({"openai": OpenAI(), "a": OpenAI()}, default="openai").default == "openai"
    assert Route({"a": OpenAI()}, default="openai").default == Target(OpenAI())


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_no_route_takes_is_refused_and_the_nearest_is_named(stream: bool) -> None:
    first = leaf("first")
    error = ask(Stack(Route({"fast": first, "smart": leaf("second")})), "smrt", stream=stream)
    assert isinstance(error, RejectedError)
    assert error.kind is ErrorKind.MODEL_NOT_FOUND
    assert "did you mean 'smart'? (routes: fast, smart)" in error.message
    assert "`default`" in error.message
    assert error.attempts == ()
    assert not first.calls


def test_many_routes_are_not_all_listed() -> None:
    error = ask(Stack(Route({f"model-number-{number}": leaf("x") for number in range(30)})), "something else")
    assert error.message.count("model-number-") == 20


def test_an_outer_fallback_asks_a_target_that_may_know_the_model() -> None:
    response = ask(Stack(Fallback(Route({"fast": leaf("first")}), leaf("knows"))), "other")
    assert response.text == "knows"
    assert [(each.outcome, each.kind) for each in response.attempts] == [
        (Outcome.REFUSED, ErrorKind.MODEL_NOT_FOUND),
        (Outcome.COMPLETED, None),
    ]


def test_an_unknown_model_never_masks_a_failure() -> None:
    busy = ExecutorError("overloaded", "busy")
    assert ask(Stack(Fallback(ScriptedExecutor(busy), Route({"fast": leaf("x")}))), "other") is busy


def test_the_error_of_the_target_is_raised_as_it_is_and_asked_again_nowhere() -> None:
    busy, other = ExecutorError("overloaded", "busy"), leaf("other")
    error = ask(Stack(Route({"a": ScriptedExecutor(busy), "*": other})), "a")
    assert error is busy
    assert len(error.attempts) == 1
    assert not other.calls


def test_a_refusal_in_front_of_the_attempt_is_on_the_record() -> None:
    stack = Stack(Route({"a": leaf("a")}))

    async def main() -> None:
        async with stack.build() as executor:
            executor.isolate("a")
            with pytest.raises(RejectedError) as caught:
                await executor.exec_chat_response("a", REQUEST)
            assert [(each.target, each.outcome) for each in caught.value.attempts] == [("a", Outcome.REFUSED)]

    run_virtual(main())


# -- rules ------------------------------------------------------------------------------------------------------


def ruled(*rules: object, **options: object) -> Route:
    return Route({"small": leaf("small"), "large": leaf("large"), "search": leaf("search")}, rules=rules, **options)


def test_rules_come_before_names_and_the_first_that_holds_decides() -> None:
    route = ruled({"model": "sm*", "to": "large"}, {"model": "small", "to": "search"})
    assert routed(route, "small") == "large"
    assert routed(route, "search") == "search"


@pytest.mark.parametrize(
    ("tag", "tags", "holds"),
    [
        ("team=search", {"team": "search"}, True),
        ("team=search", {"team": "ads"}, False),
        ("team=search", {}, False),
        ("team=search", None, False),
        ("team=s*", {"team": "search"}, True),
        ("team", {"team": "anything"}, True),
        ("team", {"other": "search"}, False),
        ("team=", {"team": ""}, True),
        ("team=", {"team": "x"}, False),
        ("query=a=b", {"query": "a=b"}, True),
    ],
)
def test_a_rule_may_look_at_a_tag(tag: str, tags: dict[str, str] | None, holds: bool) -> None:
    assert routed(ruled({"tag": tag, "to": "search"}), "small", tags=tags) == ("search" if holds else "small")


def test_a_rule_may_look_at_the_size_of_the_prompt() -> None:
    route = ruled({"above_tokens": 100, "to": "large"})
    assert routed(route, "small", ChatRequest.from_user("x" * 300)) == "small"
    assert routed(route, "small", ChatRequest.from_user("x" * 500)) == "large"
    assert routed(route, "small", REQUEST.with_system("x" * 500)) == "large"


def test_all_conditions_of_a_rule_must_hold() -> None:
    route = ruled({"tag": "team=search", "above_tokens": 100, "to": "large"})
    long = ChatRequest.from_user("x" * 500)
    assert routed(route, "small", long) == "small"
    assert routed(route, "small", tags={"team": "search"}) == "small"
    assert routed(route, "small", long, tags={"team": "search"}) == "large"


def test_a_predicate_sees_the_call_and_says_yes_or_where() -> None:
    seen = []

    def choose(model: str, chat_req: ChatRequest, options: ChatOptions | None) -> str | bool | None:
        seen.append((model, chat_req, options))
        return {"a": "large", "b": True, "c": False}.get(model)

    route = ruled(RouteRule(when=choose, to="search"), default="small")
    assert [routed(route, model) for model in "abcd"] == ["large", "search", "small", "small"]
    assert seen[0] == ("a", REQUEST, None)


def test_a_predicate_is_asked_when_the_other_conditions_hold() -> None:
    asked = []
    route = ruled(RouteRule(model="large", when=lambda model, *_: asked.append(model), to="search"))
    routed(route, "small")
    routed(route, "large")
    assert asked == ["large"]


def broken(model: str, chat_req: ChatRequest, options: ChatOptions | None) -> str:
    raise KeyError("sk-secret-1234567890")


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (broken, "rules.0.when: the predicate failed with KeyError"),
        (lambda *_: "lrge", "it said 'lrge', and there is no such route; did you mean 'large'?"),
        (lambda *_: 3, "expected True, False or the name of a route, got int"),
        (lambda *_: True, "the rule has no `to`"),
    ],
)
def test_a_predicate_that_gives_no_answer_fails_the_call(when: object, said: str) -> None:
    spare = leaf("spare")
    error = ask(Stack(Fallback(ruled(RouteRule(when=when)), spare)), "small")
    assert isinstance(error, ConfigError)
    assert said in str(error)
    assert "sk-secret" not in str(error)
    assert not spare.calls, "a broken rule is not routed around"


# -- the spec ---------------------------------------------------------------------------------------------------


def test_it_is_the_same_in_yaml() -> None:
    assert Stack.loads("""
executor:
  route:
    routes:
      fast: {model: gpt-4o-mini, executor: openai}
      "gpt-*": openai
    rules:
      - {above_tokens: 100000, to: gpt-*}
      - {tag: team=search, to: fast}
    default: fast
""") == Stack(
        Route(
            {"fast": Target(OpenAI(), model="gpt-4o-mini"), "gpt-*": OpenAI()},
            rules=(RouteRule(above_tokens=100_000, to="gpt-*"), RouteRule(tag="team=search", to="fast")),
            default="fast",
        )
    )


def test_it_is_drawn_with_its_routes() -> None:
    stack = Stack(Route({"fast": Target(OpenAI(), model="m"), "o*": OpenAI()}, default=Fallback(OpenAI())))
    assert stack.describe() == (
        "stack\n"
        "└─ route\n"
        "   ├─ target fast model=m\n"
        "   │  └─ openai\n"
        "   ├─ target o*\n"
        "   │  └─ openai\n"
        "   └─ [all others] target default\n"
        "      └─ fallback\n"
        "         └─ target openai\n"
        "            └─ openai"
    )


def test_a_cache_outside_knows_the_routes() -> None:
    routes = {"a": OpenAI(), "b": OpenAI(base_url="http://b.test")}
    plain = Route(routes).identity()
    assert plain == Route(routes, name="other").identity()
    others = [Route(routes, default="a"), Route(routes, rules=[{"above_tokens": 5, "to": "a"}]), Route({"a": OpenAI()})]
    assert all(other.identity() != plain for other in others)


def test_a_cache_outside_of_rules_about_tags_is_refused() -> None:
    with pytest.raises(ConfigError, match="put the Cache inside the routes"):
        Stack(Cache(), Route({"a": leaf("a")}, rules=[{"tag": "team", "to": "a"}])).build()


def test_a_lambda_is_given_an_identity() -> None:
    rule = {"when": lambda *_: True, "to": "a"}
    with pytest.raises(ConfigError, match="identity="):
        Route({"a": OpenAI()}, rules=[rule]).identity()
    ones, twos = (Route({"a": OpenAI()}, rules=[{**rule, "identity": said}]).identity() for said in ("1", "2"))
    assert ones != twos


def test_an_answer_of_any_route_may_be_cached() -> None:
    second = leaf("second")

    async def main() -> list[bool]:
        async with Stack(Cache(ttl="1h"), Route({"a": leaf("first"), "b": second})).build() as executor:
            return [(await executor.exec_chat_response("b", REQUEST)).cached for _ in range(2)]

    assert run_virtual(main()) == [False, True]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Route({}), "at least one name"),
        (Route, "routes: required"),
        (lambda: Route({"a": OpenAI()}, routes={}), "by position or by name"),
        (lambda: Route(OpenAI()), "expected a mapping"),
        (lambda: Route({"a": Retry()}), "is a layer"),
        (lambda: Route({"fast": OpenAI()}, default="fats"), "no route 'fats'.*did you mean 'fast'"),
        (lambda: Route({"fast": OpenAI()}, rules=[{"tag": "x", "to": "fats"}]), r"rules\.0\.to.*did you mean 'fast'"),
        (lambda: Route({"a": OpenAI()}, rules=[{"to": "a"}]), "needs a condition"),
        (lambda: Route({"a": OpenAI()}, rules=[{"tag": "x"}]), "rule without `when` needs the name of a route"),
        (lambda: Route({"a": OpenAI()}, rules=[{"tag": "=x", "to": "a"}]), "'name=value' or 'name'"),
        (lambda: Route({"a": OpenAI()}, rules=[{"tag": "x", "identity": "i", "to": "a"}]), "it stands for `when`"),
        (lambda: Route({"a": OpenAI()}, rules=[{"above_tokens": -1, "to": "a"}]), "above_tokens"),
        (lambda: Route({"a": OpenAI()}, rules=[{"above_tokns": 1, "to": "a"}]), "did you mean 'above_tokens'"),
        (lambda: Route({"a": Target(OpenAI(), name="x"), "b": Target(OpenAI(), name="x")}), "named 'x'"),
    ],
)
def test_wrong_options_are_named(make: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()


def test_a_stream_is_the_targets_own() -> None:
    async def main() -> None:
        target = ScriptedExecutor([Chunk("a"), ExecutorError("overloaded", "busy")])
        async with Stack(Route({"a": target, "*": leaf("other")})).build() as executor:
            async with await executor.exec_chat_stream_events("a", REQUEST) as stream:
                with pytest.raises(ExecutorError, match="broke"):
                    [event async for event in stream]
            assert target.open_streams == 0

    run_virtual(main())
