"""What a target cannot serve is refused before it is sent, and goes to one that can."""

from __future__ import annotations

import pytest

from lamellar import (
    ChatMessage,
    ChatOptions,
    ChatRequest,
    ErrorKind,
    ExecutorError,
    JsonSchemaFormat,
    Stack,
    Target,
    Tool,
    ToolResponse,
)
from lamellar.chat.content import Binary
from lamellar.middleware import Balance, CircuitBreaker, Fallback, Hedge, RateLimit, Retry, Route
from lamellar.providers import OpenAI
from lamellar.providers.abilities import Abilities
from lamellar.providers.catalog import CatalogEntry
from lamellar.providers.guard import Guard, guard_for
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import Answer

IMAGE = Binary.from_bytes("image/png", b"png")
PDF = Binary.from_url("application/pdf", "http://x")
TEXT = ChatRequest.from_user("hi")
SEEING = ChatRequest.from_user(["What is this?", IMAGE])
KEY = "sk-sentinel-0123456789abcdef"


def entry(namespace: str = "openai", **known: object) -> CatalogEntry:
    models = (("blind*", Abilities(images=False)), ("*", Abilities(**known)))
    return CatalogEntry(namespace, "http://x", None, "chat", models=models)


def refusal(
    known: Abilities, chat_req: ChatRequest, options: ChatOptions | None = None, namespace: str = "openai"
) -> ExecutorError | None:
    guard = Guard(entry(namespace), known)
    try:
        guard.check("m", chat_req, options)
    except ExecutorError as error:
        return error
    return None


SCHEMA = ChatOptions(response_format=JsonSchemaFormat(name="x", schema={"type": "object"}))
PREFILLED = ChatRequest.from_messages([ChatMessage.user("hi"), ChatMessage.assistant("Well,")])


@pytest.mark.parametrize(
    ("ability", "chat_req", "options", "field"),
    [
        ("images", SEEING, None, "messages[0].content[1]"),
        ("documents", ChatRequest.from_user(PDF), None, "messages[0].content[0]"),
        ("audio", ChatRequest.from_user(Binary.from_url("Audio/WAV", "http://x")), None, "messages[0].content[0]"),
        ("tools", TEXT.with_tools(Tool(name="search")), None, "tools"),
        ("json_schema", TEXT, SCHEMA, "response_format"),
        ("prefill", PREFILLED, None, "messages[1]"),
    ],
)  # fmt: skip
def test_what_is_known_to_be_missing_is_refused_and_nothing_else(
    ability: str, chat_req: ChatRequest, options: ChatOptions | None, field: str
) -> None:
    error = refusal(Abilities(**{ability: False}), chat_req, options)
    assert error is not None
    assert (error.kind, error.code, error.status) == (ErrorKind.INVALID_REQUEST, "unsupported", None)
    assert (error.retryable, error.failover, error.counts_against_health) == (False, True, False)
    assert (error.provider, error.model) == ("openai", "m")
    assert error.message.startswith(f"{field}: 'm' ")
    assert f'abilities={{"{ability}": True}}' in error.message
    assert refusal(Abilities(**{ability: True}), chat_req, options) is None
    assert refusal(Abilities(), chat_req, options) is None, "what is not known is sent"
    every = dict.fromkeys(("images", "documents", "audio", "tools", "json_schema", "prefill"), False)
    others = {**every, ability: None}
    assert refusal(Abilities(**others), chat_req, options) is None


def test_attached_text_is_text_and_plain_json_is_no_schema() -> None:
    attached = ChatRequest.from_user([Binary.from_bytes("text/plain", b"hello")])
    assert refusal(Abilities(images=False, documents=False, audio=False), attached) is None
    assert refusal(Abilities(json_schema=False), TEXT, ChatOptions(response_format="json")) is None


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("word " * 100, 100),
        ("x" * 800, 100),
        ("字" * 800, 100),
        ("word\n\n\t" * 100, 100),
    ],
    ids=["words", "one word", "no blanks", "blanks"],
)
def test_a_prompt_is_refused_only_above_its_floor(text: str, least: int) -> None:
    chat_req = ChatRequest.from_user(text)
    assert refusal(Abilities(context_window=least), chat_req) is None
    error = refusal(Abilities(context_window=least - 1), chat_req)
    assert error is not None
    assert (error.kind, error.code, error.status) == (ErrorKind.CONTEXT_OVERFLOW, "context_window", None)
    assert (error.retryable, error.failover, error.counts_against_health) == (False, True, False)
    assert f"{least} tokens or more" in error.message
    assert f"of 'm' has {least - 1}" in error.message


def test_blanks_alone_are_never_too_long() -> None:
    assert refusal(Abilities(context_window=10), ChatRequest.from_user(" \n" * 10_000)) is None


def test_every_text_of_the_prompt_counts() -> None:
    chat_req = ChatRequest(
        system="one two",
        messages=(
            ChatMessage.user(["three", IMAGE, "four"]),
            ChatMessage.tool(ToolResponse(call_id="1", content="five six")),
        ),
    )
    assert refusal(Abilities(context_window=6), chat_req) is None
    assert refusal(Abilities(context_window=5), chat_req) is not None


@pytest.mark.parametrize(
    ("namespace", "refused"), [("openai", True), ("vllm", True), ("gemini", False), ("fireworks", False)]
)
def test_the_answers_share_counts_where_the_provider_counts_it(namespace: str, refused: bool) -> None:
    error = refusal(
        Abilities(context_window=100), ChatRequest.from_user("word " * 51), ChatOptions(max_tokens=50), namespace
    )
    assert (error is not None) is refused
    if error is not None:
        assert "max_tokens asks for 50 more" in error.message
    assert (
        refusal(Abilities(context_window=101), ChatRequest.from_user("word " * 51), ChatOptions(max_tokens=50)) is None
    )


def test_who_says_it_nearest_wins() -> None:
    row = entry(images=True, context_window=10)
    guard = guard_for(row, Abilities(context_window=30), Abilities(context_window=20, images=False))
    assert guard is not None
    known = guard.abilities("m")
    assert known is not None
    assert (known.context_window, known.images) == (30, False)
    assert guard_for(CatalogEntry("openai", "http://x", None, "chat"), Abilities(), Abilities()) is None
    blind = guard_for(row)
    assert blind is not None
    assert blind.abilities("blind-1") == Abilities(images=False, context_window=10)


def test_what_is_remembered_of_models_is_bounded() -> None:
    guard = Guard(entry(), Abilities(tools=False))
    for number in range(1000):
        guard.check(f"m{number}", TEXT, None)
    assert len(guard._known) <= 256


@pytest.fixture
def simulator():
    with ProviderSimulator(default=Answer("I see.")) as running:
        yield running


def target(
    simulator: ProviderSimulator, name: str, *layers: object, window: int | None = None, **abilities: object
) -> Target:
    leaf = OpenAI(base_url=simulator.base_url, api_key=KEY, abilities=abilities)
    return Target(*layers, leaf, model=name, name=name, context_window=window)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", [Fallback, Balance, Hedge])
async def test_a_composite_asks_the_target_that_can(simulator: ProviderSimulator, kind: type, stream: bool) -> None:
    breaker = CircuitBreaker(consecutive_failures=1)
    options = {"strategy": "round_robin"} if kind is Balance else {}
    stack = Stack(kind(target(simulator, "blind", breaker, images=False), target(simulator, "seeing"), **options))
    async with stack.build() as executor:
        for _ in range(3):
            if stream:
                opened = await executor.exec_chat_stream_events("m", SEEING)
                response = await opened.collect()
            else:
                response = await executor.exec_chat_response("m", SEEING)
            assert response.text == "I see."
            assert response.attempts[-1].model == "seeing"
            if len(response.attempts) > 1:
                first = response.attempts[0]
                assert (first.target, first.kind, first.code) == ("blind", "invalid_request", "unsupported")
                assert first.status is None
        assert {request.model for request in simulator.requests} == {"seeing"}, "nothing was sent to the other"
        answered = await executor.exec_chat_response("m", TEXT)
        assert answered.text == "I see.", "its breaker did not open"
        assert "blind" in {request.model for request in simulator.requests} or kind is Balance


async def test_a_route_tells_it(simulator: ProviderSimulator) -> None:
    stack = Stack(Route({"m": target(simulator, "blind", images=False)}, default=target(simulator, "seeing")))
    async with stack.build() as executor:
        with pytest.raises(ExecutorError) as caught:
            await executor.exec_chat_response("m", SEEING)
        assert (await executor.exec_chat_response("other", SEEING)).text == "I see."
    assert caught.value.code == "unsupported"
    assert len(caught.value.attempts) == 1
    assert [request.model for request in simulator.requests] == ["seeing"]


async def test_it_is_not_retried_and_costs_no_limit(simulator: ProviderSimulator) -> None:
    limited = target(simulator, "blind", Retry(attempts=5), RateLimit(requests_per_minute=1), images=False)
    async with Stack(Fallback(limited)).build() as executor:
        for _ in range(3):
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_response("m", SEEING)
            assert len(caught.value.attempts) == 1
        assert (await executor.exec_chat_response("m", TEXT)).text == "I see.", "no permit was used up"
    assert simulator.request_count == 1


async def test_a_prompt_too_long_goes_to_a_larger_window_only(simulator: ProviderSimulator) -> None:
    long = ChatRequest.from_user("word " * 100)
    stack = Stack(
        Fallback(
            target(simulator, "small", window=50),
            target(simulator, "smaller", window=20),
            target(simulator, "large", window=500),
        )
    )
    async with stack.build() as executor:
        response = await executor.exec_chat_response("m", long)
        assert [(each.target, each.kind) for each in response.attempts] == [
            ("small", "context_overflow"),
            ("large", None),
        ]
        too_long = ChatRequest.from_user("word " * 1000)
        with pytest.raises(ExecutorError) as caught:
            await executor.exec_chat_response("m", too_long)
    assert (caught.value.kind, caught.value.code) == (ErrorKind.CONTEXT_OVERFLOW, "context_window")
    assert [each.target for each in caught.value.attempts] == ["small", "large"]
    assert simulator.request_count == 1


async def test_the_catalogue_is_asked_and_the_user_is_right(simulator: ProviderSimulator) -> None:
    asked = ("openai", "gpt-3.5-turbo", SEEING)
    leaf = OpenAI(base_url=simulator.base_url, api_key=KEY)
    async with Stack(leaf).build() as executor:
        with pytest.raises(ExecutorError) as caught:
            await executor.exec_chat_response(*asked[1:])
    assert caught.value.code == "unsupported"
    assert simulator.request_count == 0
    own = OpenAI(base_url=simulator.base_url, api_key=KEY, abilities={"images": True})
    async with Stack(own).build() as executor:
        assert (await executor.exec_chat_response(*asked[1:])).text == "I see."


@pytest.mark.parametrize("word", ["truncation", "transforms", "plugins", "context_management", "prompt_truncate_len"])
def test_a_prompt_that_the_provider_is_asked_to_cut_is_not_measured(word: str) -> None:
    known, long = Abilities(context_window=100, images=False), ChatRequest.from_user("word " * 200)
    error = refusal(known, long, ChatOptions(extra_body={"user": "u"}))
    assert error is not None
    assert error.kind is ErrorKind.CONTEXT_OVERFLOW
    cut = ChatOptions(extra_body={word: "auto"})
    assert refusal(known, long, cut) is None
    assert refusal(known, SEEING, cut) is not None, "only the window is left to the provider"
