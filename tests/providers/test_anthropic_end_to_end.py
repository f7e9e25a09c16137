"""`Anthropic` in a stack, over real HTTP; and its options."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lamellar import ChatRequest, ConfigError, ErrorKind, ExecutorError, LlmExecutor, Stack
from lamellar.chat.content import ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from lamellar.chat.events import Chunk, End, ReasoningChunk, Start, ThoughtSignatureChunk, ToolCallChunk
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatMessage
from lamellar.chat.tools import Tool
from lamellar.errors import StreamInterruptedError, StreamTruncatedError
from lamellar.identity import identity_of
from lamellar.middleware import Fallback, Retry, Target
from lamellar.providers import Anthropic, OpenAI
from lamellar.secrets import Secret
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Empty,
    Garbage,
    InBandError,
    ProviderSimulator,
    overloaded,
    quota_exhausted,
    rate_limited,
)
from lamellar.testing.simulator.wire_anthropic import SIGNATURE

MODEL = "claude-sonnet-4-5"
KEY = "sk-ant-of-a-test"
WEATHER = Tool(name="weather", schema={"type": "object", "properties": {"city": {"type": "string"}}})
CALLS = [
    ToolCall(call_id="toolu_1", fn_name="weather", fn_arguments={"city": "Orléans"}),
    ToolCall(call_id="toolu_2", fn_name="weather", fn_arguments={"city": "Paris"}),
]
ASK = ChatRequest(system="Be brief.").append_message(ChatMessage.user("Where is it warmer?")).with_tools(WEATHER)
THINK = ChatOptions(reasoning_effort="low")
ANSWER = Answer("Let me see.", reasoning="Two cities", tool_calls=CALLS)
CONTENT = (
    ReasoningContent(text="Two cities"),
    ThoughtSignature(signature=SIGNATURE, provider="anthropic"),
    Text("Let me see."),
    *CALLS,
)


@pytest.fixture(params=["httpx", "aiohttp"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def played(engine: Any) -> AsyncIterator[tuple[ProviderSimulator, LlmExecutor]]:
    with ProviderSimulator(dialect="anthropic", require_key=KEY) as simulator:
        stack = Stack(Anthropic(base_url=simulator.base_url, api_key=KEY, engine=engine))
        async with stack.build() as executor:
            yield simulator, executor


async def test_a_conversation_with_tools_and_thinking(played):
    simulator, executor = played
    simulator.push(ANSWER, Answer("Paris."))
    first = await executor.exec_chat_response(MODEL, ASK, THINK)
    assert first.content == CONTENT
    assert first.reasoning_content == "Two cities"
    assert (first.provider, first.provider_model, first.stop_reason) == ("anthropic", MODEL, "tool_call")
    assert first.usage.completion_details.reasoning_tokens == 2

    answers = [ToolResponse(call_id=call.call_id, content="12°") for call in CALLS]
    request = ASK.append_message(ChatMessage.assistant(first.content), *map(ChatMessage.tool, answers))
    second = await executor.exec_chat_response(MODEL, request, THINK)
    assert (second.text, second.stop_reason) == ("Paris.", "completed")

    sent = simulator.last_request
    assert sent.path == "/v1/messages"
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.json["system"] == "Be brief."
    assert sent.json["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert sent.json["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Two cities", "signature": SIGNATURE},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Orléans"}},
                {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {"city": "Paris"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12°"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "12°"},
            ],
        },
    ]


async def test_a_stream_with_tools_and_thinking(played):
    simulator, executor = played
    simulator.push(ANSWER, Answer("Paris."))
    async with await executor.exec_chat_stream_events(MODEL, ASK, THINK) as events:
        found = [event async for event in events]
    assert isinstance(found[0], Start)
    assert (found[0].provider_model, found[0].response_id) == (MODEL, "msg_sim_1")
    assert [event.content for event in found if isinstance(event, ReasoningChunk)] == ["Two", " cities"]
    assert [event.content for event in found if isinstance(event, ThoughtSignatureChunk)] == [SIGNATURE]
    assert "".join(event.content for event in found if isinstance(event, Chunk)) == "Let me see."
    assert {event.index for event in found if isinstance(event, ToolCallChunk)} == {0, 1}
    end = found[-1]
    assert isinstance(end, End)
    assert end.content == CONTENT
    assert end.usage is not None
    assert end.usage.total_tokens

    answers = [ToolResponse(call_id=call.call_id, content="12°") for call in CALLS]
    request = ASK.append_tool_use_from_end(end, answers)
    assert (await executor.exec_chat_response(MODEL, request, THINK)).text == "Paris."
    assert simulator.last_request.json["messages"][1]["content"][0]["signature"] == SIGNATURE


async def test_the_same_answer_whole_and_streamed(played):
    simulator, executor = played
    for answer in (ANSWER, Answer("Paris.", stop_reason="max_tokens"), Empty(), Answer("", tool_calls=CALLS)):
        simulator.push(answer, answer)
        whole = await executor.exec_chat_response(MODEL, ASK)
        async with await executor.exec_chat_stream_events(MODEL, ASK) as events:
            end = [event async for event in events][-1]
        assert (end.content, end.stop_reason, end.usage) == (whole.content, whole.stop_reason, whole.usage)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (rate_limited(retry_after=7), ErrorKind.RATE_LIMITED),
        (quota_exhausted(), ErrorKind.QUOTA_EXHAUSTED),
        (overloaded(), ErrorKind.OVERLOADED),
        (InBandError(), ErrorKind.OVERLOADED),
        (InBandError(kind=ErrorKind.CONTEXT_OVERFLOW), ErrorKind.CONTEXT_OVERFLOW),
        (Garbage(Answer("a b c")), ErrorKind.MALFORMED),
        (Cut(Answer("a b c"), after=0, how="clean"), ErrorKind.TRUNCATED),
    ],
)
async def test_failures_are_raised_by_the_call_either_way(played, reply, kind):
    simulator, executor = played
    simulator.push(reply, reply)
    with pytest.raises(ExecutorError) as whole:
        await executor.exec_chat_response(MODEL, ASK)
    with pytest.raises(ExecutorError) as streamed:
        await executor.exec_chat_stream_events(MODEL, ASK)
    assert streamed.value.kind == kind
    assert whole.value.kind in (kind, ErrorKind.MALFORMED)  # a body that is cut short is no JSON
    assert streamed.value.retry_after == (7 if kind == ErrorKind.RATE_LIMITED else None)
    assert KEY not in str(whole.value)


async def test_a_stream_that_breaks_off_says_so(played):
    simulator, executor = played
    simulator.push(Cut(Answer("a b c"), after=2, how="clean"), InBandError(Answer("a b c"), after=2))
    for error, kind in ((StreamTruncatedError, ErrorKind.TRUNCATED), (StreamInterruptedError, ErrorKind.OVERLOADED)):
        events = await executor.exec_chat_stream_events(MODEL, ASK)
        with pytest.raises(error) as caught:
            async for _ in events:
                pass
        assert caught.value.kind == kind
        assert caught.value.partial == (Text("a b"),)


async def test_it_is_a_target_like_any_other():
    with (
        ProviderSimulator([overloaded()]) as first,
        ProviderSimulator([overloaded(), Answer("Paris.")], dialect="anthropic") as second,
    ):
        stack = Stack(
            Fallback(
                Target(OpenAI(base_url=first.base_url, api_key="k"), model="gpt-4o-mini"),
                Target(
                    Retry(attempts=2, overloaded_initial=0.01),
                    Anthropic(base_url=second.base_url, api_key="k"),
                    model=MODEL,
                ),
            )
        )
        async with stack.build() as executor:
            response = await executor.exec_chat_response("gpt-4o-mini", ASK)
    assert (response.text, response.provider, len(response.attempts)) == ("Paris.", "anthropic", 3)
    assert [attempt.status for attempt in response.attempts] == [503, 529, 200]


# -- options ----------------------------------------------------------------------------------------------------


def test_versions_and_betas_are_headers():
    assert Anthropic(api_key="k").endpoint().headers == {"anthropic-version": "2023-06-01"}
    spec = Anthropic(api_key="k", version="2026-01-01", beta=("a-1", "b-2"), headers={"x-team": "t"})
    assert spec.endpoint().headers == {
        "anthropic-version": "2026-01-01",
        "anthropic-beta": "a-1,b-2",
        "x-team": "t",
    }
    given = Anthropic(api_key="k", beta=("a",), headers={"Anthropic-Beta": "b"})
    assert given.endpoint().headers == {"anthropic-version": "2023-06-01", "Anthropic-Beta": "b"}
    assert (
        Anthropic.model_validate({"beta": "a"}) == Anthropic.model_validate({"beta": ["a"]}) == Anthropic(beta=("a",))
    )


@pytest.mark.parametrize("wrong", [{"version": "a\r\nb"}, {"version": ""}, {"beta": ["a,b"]}, {"beta": ["a\nb"]}])
def test_wrong_versions_and_betas(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Anthropic(**wrong)


def test_what_changes_an_answer_changes_the_identity():
    specs = [
        Anthropic(),
        Anthropic(beta=("a",)),
        Anthropic(version="2026-01-01"),
        Anthropic(base_url="https://a.example"),
    ]
    identities = [repr(identity_of([spec])) for spec in specs]
    assert len(set(identities)) == len(specs)
    assert identity_of([Anthropic(beta=("a", "b"))]) == identity_of([Anthropic(beta=("b", "a"), api_key="k")])


def test_it_is_written_to_a_file_and_read_again(monkeypatch):
    stack = Stack(Anthropic(beta=("a",), version="2026-01-01", api_key=Secret(env="MY_KEY")))
    assert Stack.loads(stack.dump()) == stack
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY"):
        Stack(Anthropic()).build()


async def test_endpoint_and_key_come_from_the_environment(monkeypatch):
    with ProviderSimulator([Answer("Paris.")] * 2, dialect="anthropic", require_key=KEY) as simulator:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        for base_url in (simulator.base_url, f"{simulator.base_url}/v1/"):
            monkeypatch.setenv("ANTHROPIC_BASE_URL", base_url)
            async with Stack(Anthropic()).build() as executor:
                assert (await executor.exec_chat_response(MODEL, ASK)).text == "Paris."
