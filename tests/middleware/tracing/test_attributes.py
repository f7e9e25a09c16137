"""Every attribute of the inference span: the request's, the answer's, the usage's, and whose answer it was."""

from __future__ import annotations

import asyncio

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Chunk,
    CompletionDetails,
    End,
    ExecutorError,
    JsonSchemaFormat,
    PromptDetails,
    Stack,
    Start,
    StopReason,
    Target,
    Usage,
)
from lamellar.errors import ErrorKind
from lamellar.middleware import Fallback, Retry, Timeout
from lamellar.providers import OpenAI
from lamellar.providers.catalog import CATALOG
from lamellar.testing import ManualClock, Scripted, ScriptedExecutor, answer, run_virtual
from lamellar.testing.simulator import Answer, ProviderSimulator, overloaded
from lamellar_middleware.tracing.attributes import provider_name

from .telemetry import Telemetry

REQUEST = ChatRequest.from_user("hi")
EVERYTHING = ChatOptions(
    temperature=1,
    max_tokens=100,
    top_p=0.5,
    frequency_penalty=0.1,
    presence_penalty=0,
    stop_sequences=("STOP",),
    seed=7,
    response_format="json",
    extra_body={"n": 2},
    call=CallContext(conversation_id="conv-1", tags={"secret": "no"}),
)


def call(stack: Stack, options: ChatOptions | None = None, *, streaming: bool = False) -> None:
    async def main() -> None:
        async with stack.build() as executor:
            if streaming:
                await (await executor.exec_chat_stream_events("m", REQUEST, options)).collect()
            else:
                await executor.exec_chat_response("m", REQUEST, options)

    run_virtual(main())


def test_the_request_as_it_was_said(told: Telemetry) -> None:
    call(Stack(told.tracing(), ScriptedExecutor("x")), EVERYTHING)
    said = told.span("chat m").attributes
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.presence_penalty": 0.0,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ("STOP",),
        "gen_ai.request.choice.count": 2,
        "gen_ai.output.type": "json",
        "gen_ai.conversation.id": "conv-1",
    }
    assert {name: said.get(name) for name in expected} == expected
    types = {name: type(said[name]) for name in expected if "penalty" in name or name.endswith("temperature")}
    assert set(types.values()) == {float}
    assert "gen_ai.request.stream" not in said


def test_nothing_is_said_that_the_caller_did_not_say(told: Telemetry) -> None:
    call(Stack(told.tracing(), ScriptedExecutor("x")), ChatOptions(extra_body={"n": 1}, call=CallContext()))
    names = set(told.span("chat m").attributes)
    assert names == {
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "gen_ai.response.finish_reasons",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
    }


def test_a_schema_asks_for_json_and_a_stream_says_so(told: Telemetry) -> None:
    options = ChatOptions(response_format=JsonSchemaFormat(name="s", schema={}))
    call(Stack(told.tracing(), ScriptedExecutor("x")), options, streaming=True)
    said = told.span("chat m").attributes
    assert said["gen_ai.output.type"] == "json"
    assert said["gen_ai.request.stream"] is True


@pytest.mark.parametrize(
    ("reason", "told_as"),
    [
        ("completed", ("stop",)),
        ("stop_sequence", ("stop",)),
        ("max_tokens", ("length",)),
        ("tool_call", ("tool_call",)),
        ("content_filter", ("content_filter",)),
        ("other", ("other",)),
        (None, None),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
def test_why_the_model_stopped(told: Telemetry, reason: str | None, told_as: tuple | None, streaming: bool) -> None:
    call(Stack(told.tracing(), ScriptedExecutor(answer("x", stop_reason=reason))), streaming=streaming)
    assert told.span("chat m").attributes.get("gen_ai.response.finish_reasons") == told_as


@pytest.mark.parametrize("streaming", [True, False])
def test_the_answers_id_and_model(told: Telemetry, streaming: bool) -> None:
    end = End(stop_reason=StopReason("completed"), response_id="resp-1", provider_model="m-2026")
    call(Stack(told.tracing(), ScriptedExecutor([Chunk("x"), end])), streaming=streaming)
    said = told.span("chat m").attributes
    assert (said["gen_ai.response.id"], said["gen_ai.response.model"]) == ("resp-1", "m-2026")
    assert not [name for name in said if "usage" in name], "unknown is absent, never 0"


def test_an_abandoned_stream_has_the_id_and_model_of_its_start(told: Telemetry) -> None:
    async def main() -> None:
        start = Start(model="m", provider="scripted", provider_model="m-2026", response_id="resp-1")
        async with Stack(told.tracing(), ScriptedExecutor([start, Chunk("x"), End()])).build() as executor:
            await (await executor.exec_chat_stream_events("m", REQUEST)).aclose()

    run_virtual(main())
    said = told.span("chat m").attributes
    assert (said["gen_ai.response.id"], said["gen_ai.response.model"]) == ("resp-1", "m-2026")


def usage(prompt: int | None, completion: int | None, cached: int | None = None, thought: int | None = None) -> Usage:
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        prompt_details=PromptDetails(cached_tokens=cached, cache_creation_tokens=1),
        completion_details=CompletionDetails(reasoning_tokens=thought),
    )


def test_usage_is_the_sum_over_every_billed_attempt(told: Telemetry) -> None:
    from lamellar import StreamInterruptedError

    wasted = StreamInterruptedError(ExecutorError(ErrorKind.OVERLOADED, "x"), usage=usage(10, None, cached=4))
    leaf = ScriptedExecutor(Scripted((), (wasted,)), answer("x", usage=usage(20, 5, thought=3)))
    stack = Stack(told.tracing(), Retry(attempts=2, overloaded_initial=0.001), leaf)
    call(stack, streaming=True)
    said = told.span("chat m").attributes
    assert {name: value for name, value in said.items() if "usage" in name} == {
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_creation.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 3,
    }
    assert {each["gen_ai.token.type"]: total for each, total in told.points("gen_ai.client.token.usage")} == {
        "input": 30,
        "output": 5,
    }


def test_the_time_to_the_first_chunk_is_that_of_the_whole_call(told: Telemetry) -> None:
    fails = Scripted((), (lambda: asyncio.sleep(3), ExecutorError("server_error", "no")))
    leaf = ScriptedExecutor(fails, [lambda: asyncio.sleep(2), Chunk("a"), lambda: asyncio.sleep(9), End()])
    call(Stack(told.tracing(), Retry(attempts=2, initial=1, jitter="none"), leaf), streaming=True)
    assert told.span("chat m").attributes["gen_ai.response.time_to_first_chunk"] == pytest.approx(6)
    assert told.points("gen_ai.client.operation.time_to_first_chunk")[0][1] == pytest.approx(6)
    assert told.points("gen_ai.client.operation.duration")[0][1] == pytest.approx(15)


def test_durations_are_the_injected_clocks(told: Telemetry) -> None:
    async def main() -> None:
        clock = ManualClock()
        stack = Stack(told.tracing(), ScriptedExecutor(answer("x", opening=(lambda: clock.sleep(7),))))
        executor = stack.build(clock=clock)
        await clock.run(executor.exec_chat_response("m", REQUEST))
        await executor.aclose()

    asyncio.run(main())
    assert told.points("gen_ai.client.operation.duration")[0][1] == 7


# -- who answered -----------------------------------------------------------------------------------------------


def test_server_and_status_of_real_http_and_the_winners_place(told: Telemetry) -> None:
    async def main(first: ProviderSimulator, second: ProviderSimulator) -> None:
        stack = Stack(
            told.tracing(),
            Timeout(total=20),
            Fallback(
                Target(OpenAI(base_url=first.base_url, api_key="sk-first"), model="a", name="one"),
                Target(OpenAI(base_url=second.base_url, api_key="sk-second"), model="b", name="two"),
            ),
        )
        async with stack.build() as executor:
            await (await executor.exec_chat_stream_events("m", REQUEST)).collect()

    with ProviderSimulator([overloaded()]) as first, ProviderSimulator([Answer("fine")]) as second:
        asyncio.run(main(first, second))
        ports = (int(first.base_url.split(":")[2].split("/")[0]), int(second.base_url.split(":")[2].split("/")[0]))
    call, one, two = (told.span(name).attributes for name in ("chat m", "attempt one", "attempt two"))
    assert (call["server.address"], call["server.port"]) == ("127.0.0.1", ports[1])
    assert call["gen_ai.provider.name"] == "openai"
    assert (one["server.port"], one["http.response.status_code"], one["error.type"]) == (ports[0], 503, "overloaded")
    assert (two["server.port"], two["http.response.status_code"]) == (ports[1], 200)
    assert two["lamellar.attempt.request_id"]
    [(metric, _)] = told.points("gen_ai.client.operation.duration")
    assert metric["server.port"] == ports[1]


def test_a_failure_names_the_decisive_place(told: Telemetry) -> None:
    async def main() -> None:
        one = ScriptedExecutor(ExecutorError("server_error", "no"), name="groq")
        two = ScriptedExecutor(ExecutorError("unauthorized", "no"), name="xai")
        async with Stack(told.tracing(), Fallback(Target(one, name="1"), Target(two, name="2"))).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_response("m", REQUEST)
            assert caught.value.target == "1"

    run_virtual(main())
    said = told.span("chat m").attributes
    assert (said["gen_ai.provider.name"], said["error.type"]) == ("groq", "server_error")


class Kept:
    """A leaf of a cache's kind: an answer that this call was not billed for."""

    name = "kept"

    async def exec_chat_response(self, model, chat_req, options=None):
        return ChatResponse(model="m", provider="anthropic", usage=Usage(prompt_tokens=9), cached=True)

    async def exec_chat_stream_events(self, model, chat_req, options=None):
        raise NotImplementedError


@pytest.mark.failure(29)
def test_a_hit_records_no_usage_and_says_so(told: Telemetry) -> None:
    from lamellar_middleware.tracing.executor import TracingExecutor

    async def main() -> None:
        await TracingExecutor(Kept(), told.tracing()).exec_chat_response("m", REQUEST)

    asyncio.run(main())
    said = told.span("chat m").attributes
    assert said["lamellar.cache.hit"] is True
    assert said["gen_ai.provider.name"] == "anthropic"
    assert "gen_ai.usage.input_tokens" not in said
    assert told.points("gen_ai.client.token.usage") == []
    assert told.points("lamellar.cache.lookups") == [({"lamellar.cache.hit": True}, 1)]


def test_what_a_layer_waited_for_is_on_the_attempt(told: Telemetry) -> None:
    from lamellar import ExecutorWrapper, LayerSpec
    from lamellar.scope import current_scope

    class Waits(ExecutorWrapper):
        async def _exec(self, operation, model, chat_req, options):
            current_scope().note_wait(1.5)
            current_scope().note("lamellar.ratelimit.wait", 0.5)
            current_scope().note("lamellar.ratelimit.wait", 1.0)
            current_scope().note("lamellar.cache.hit", False)
            current_scope().note("lamellar.breaker.state", "closed")
            return await operation(self.inner, model, chat_req, options)

    class Layer(LayerSpec):
        kind = "waits"

        def wrap(self, inner, context):
            return Waits(inner)

    call(Stack(told.tracing(), Layer(), ScriptedExecutor("x")))
    assert told.span("attempt scripted").attributes["lamellar.ratelimit.wait"] == 1.5
    said = told.span("chat m").attributes
    assert said["lamellar.ratelimit.wait"] == 1.5, "the sum"
    assert (said["lamellar.cache.hit"], said["lamellar.breaker.state"]) == (False, "closed")
    assert told.points("lamellar.ratelimit.wait") == [({"lamellar.attempt.target": "scripted"}, 1.5)]
    assert told.points("lamellar.cache.lookups") == [({"lamellar.cache.hit": False}, 1)]


def test_every_namespace_has_the_conventions_name() -> None:
    known = {
        "openai", "anthropic", "azure.ai.openai", "aws.bedrock", "gcp.vertex_ai", "gcp.gemini", "cohere", "deepseek",
        "groq", "mistral_ai", "perplexity", "x_ai", "moonshot_ai",
    }  # fmt: skip
    names = {namespace: provider_name(namespace) for namespace in CATALOG}
    assert known <= set(names.values())
    assert names["openai_resp"] == "openai"
    assert {namespace for namespace, name in names.items() if name not in known and name != namespace} == set()
