"""The HTTP leaf over a real server, on both engines: what it sends, what it makes of what comes, what it lets go of."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest

from lamellar import (
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    ErrorKind,
    ExecutorError,
    Outcome,
    RejectedError,
    Stack,
    Start,
    StreamInterruptedError,
    Usage,
)
from lamellar.middleware import Retry, Timeout
from lamellar.providers import OpenAI
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Eof,
    Garbage,
    HtmlPage,
    InBandError,
    NoDone,
    Raw,
    Redirect,
    Reply,
    Reset,
    Silence,
    Stall,
    Status,
    context_overflow,
    rate_limited,
    unauthorized,
)

KEY = "sk-sentinel-0123456789abcdef"
REQUEST = ChatRequest.from_user("What is the capital of France?")


@pytest.fixture(params=["aiohttp", "httpx"])
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


def stack(simulator: ProviderSimulator, engine: str, *layers: object, **options: object) -> Stack:
    return Stack(*layers, OpenAI(base_url=simulator.base_url, api_key=KEY, engine=engine, **options))


async def test_an_answer_and_a_stream_come_from_one_request_each(engine: str) -> None:
    usage = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    with ProviderSimulator(Answer("Paris.", usage=usage, headers={"x-request-id": "req-1"})) as simulator:
        async with stack(simulator, engine).build() as executor:
            response = await executor.exec_chat_response("gpt-4o-mini", REQUEST)
            stream = await executor.exec_chat_stream_events("gpt-4o-mini", REQUEST)
            collected = await stream.collect()
        first, second = simulator.requests
    assert response.text == collected.text == "Paris."
    assert response.usage.total_tokens == collected.usage.total_tokens == 5
    assert response.provider == "openai"
    assert (response.attempts[0].status, response.attempts[0].request_id) == (200, "req-1")
    assert (collected.attempts[0].status, collected.attempts[0].request_id) == (200, "req-1")
    assert (first.path, first.stream, second.stream) == ("/v1/chat/completions", False, True)
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.connection == second.connection, "the connection was kept"


async def test_headers_of_the_declaration_and_of_the_call_are_sent(engine: str) -> None:
    with ProviderSimulator() as simulator:
        async with stack(
            simulator, engine, headers={"x-team": "a", "x-who": "stack"}, organization="org-1"
        ).build() as ex:
            await ex.exec_chat_response(
                "m", REQUEST, ChatOptions(extra_headers={"x-who": "call"}, extra_body={"user": "u"})
            )
        seen = simulator.requests[0]
    assert (seen.headers["x-team"], seen.headers["x-who"], seen.headers["openai-organization"]) == (
        "a",
        "call",
        "org-1",
    )
    assert seen.json["user"] == "u"


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (Reset(), ErrorKind.CONNECTION, "reset"),
        (Eof(), ErrorKind.CONNECTION, "disconnected"),
        (HtmlPage(), ErrorKind.MALFORMED, None),
        (HtmlPage(status=502), ErrorKind.SERVER_ERROR, None),
        (Redirect("http://127.0.0.1:1/"), None, None),
        (
            Raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\nnull"),
            ErrorKind.MALFORMED,
            None,
        ),
        (InBandError(), ErrorKind.OVERLOADED, None),
        (unauthorized(), ErrorKind.UNAUTHORIZED, None),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("streaming", [True, False])
async def test_every_failure_is_classified_and_says_whose_it_is(
    engine: str, reply: Reply, kind: ErrorKind | None, code: str | None, streaming: bool
) -> None:
    with ProviderSimulator(reply) as simulator:
        async with stack(simulator, engine).build() as executor:
            call = executor.exec_chat_stream_events if streaming else executor.exec_chat_response
            with pytest.raises(ExecutorError) as caught:
                await call("gpt-4o-mini", REQUEST)
    error = caught.value
    assert kind is None or error.kind is kind
    assert code is None or error.code == code
    assert (error.provider, error.model) == ("openai", "gpt-4o-mini")
    assert KEY not in f"{error!r} {error} {error.__cause__!r} {error.attempts}"
    assert error.attempts[0].kind is error.kind


@pytest.mark.failure(34)
async def test_a_key_that_the_provider_repeats_is_not_shown(engine: str) -> None:
    reply = Status(401, message=f"Incorrect API key provided: {KEY}.")
    with ProviderSimulator(reply) as simulator:
        async with stack(simulator, engine).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_response("m", REQUEST)
    assert "Incorrect API key" in str(caught.value)
    assert KEY not in f"{caught.value!r} {caught.value} {caught.value.attempts!r}"
    assert "*****" in str(caught.value)


@pytest.mark.parametrize("then", ["end", "hold", "close"])
async def test_a_whole_answer_without_its_mark_ends_promptly(engine: str, then: str) -> None:
    with ProviderSimulator(NoDone(Answer("Paris."), then=then)) as simulator:
        async with stack(simulator, engine).build() as executor:
            began = time.monotonic()
            response = await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            assert time.monotonic() - began < 1
        assert (response.text, response.stop_reason) == ("Paris.", "completed")
        assert response.usage is not None
        await simulator.wait_for_async(lambda s: s.open_connections == 0)


async def test_usage_that_never_comes_delays_a_whole_answer_by_a_second_at_most(engine: str) -> None:
    reply = NoDone(Answer("Paris.", usage=None), then="hold")
    with ProviderSimulator(reply) as simulator:
        async with stack(simulator, engine).build() as executor:
            began = time.monotonic()
            response = await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            assert time.monotonic() - began < 3
        assert (response.text, response.usage) == ("Paris.", None)
        await simulator.wait_for_async(lambda s: s.open_connections == 0)


async def test_no_limit_takes_a_whole_answer_back(engine: str) -> None:
    reply = NoDone(Answer("Paris.", usage=None), then="hold")
    with ProviderSimulator(reply) as simulator:
        async with stack(simulator, engine, Timeout(total=0.9, idle=0.2)).build() as executor:
            assert (await (await executor.exec_chat_stream_events("m", REQUEST)).collect()).text == "Paris."


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Cut(unauthorized(), after=0), ErrorKind.UNAUTHORIZED),
        (Cut(context_overflow(), after=0, how="reset"), None),
        (Stall(rate_limited(7), after=0), ErrorKind.RATE_LIMITED),
    ],
    ids=["cut", "reset", "stalled"],
)
async def test_an_error_whose_body_breaks_keeps_its_status(engine: str, reply: Reply, kind: ErrorKind | None) -> None:
    with ProviderSimulator(reply) as simulator:
        async with stack(simulator, engine, Timeout(first_content=5, attempt=5)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_response("m", REQUEST)
        assert caught.value.status in (400, 401, 429)
        assert kind is None or caught.value.kind is kind
        if kind is ErrorKind.RATE_LIMITED:
            assert caught.value.retry_after == 7


async def test_events_before_a_malformed_one_are_delivered(engine: str) -> None:
    with ProviderSimulator(Garbage(Answer(chunks=["a", "b", "c"], burst=True), at=3)) as simulator:
        async with stack(simulator, engine).build() as executor:
            with pytest.raises(StreamInterruptedError) as caught:
                await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
    assert caught.value.kind is ErrorKind.MALFORMED
    assert "ab".startswith(caught.value.text)
    assert caught.value.text


async def test_start_names_the_target_and_the_model_that_answer(engine: str) -> None:
    with ProviderSimulator(Answer("x", model="gpt-4o-mini-2024-07-18")) as simulator:
        async with stack(simulator, engine).build() as executor:
            stream = await executor.exec_chat_stream_events("gpt-4o-mini", REQUEST)
            start = await anext(stream)
            await stream.aclose()
    assert isinstance(start, Start)
    assert (start.model, start.provider, start.provider_model) == ("gpt-4o-mini", "openai", "gpt-4o-mini-2024-07-18")
    assert start.response_id


@pytest.mark.failure(8)
async def test_with_two_connections_and_many_faults_a_healthy_call_still_succeeds(engine: str) -> None:
    faults = [Silence(), Cut(Answer(), after=1), Reset(), Garbage(Answer(), at=1), InBandError(Answer(), after=2)] * 4
    with ProviderSimulator(faults, default=Answer("healthy")) as simulator:
        limits = Timeout(total=2, first_content=0.2, idle=0.2)
        async with stack(simulator, engine, limits, max_connections=2).build() as executor:

            async def suffer() -> None:
                try:
                    async with await executor.exec_chat_stream_events("m", REQUEST) as stream:
                        async for event in stream:
                            if isinstance(event, Chunk):
                                break
                except (ExecutorError, RejectedError):
                    pass

            while simulator.request_count < len(faults):
                await asyncio.gather(suffer(), suffer())
            response = await executor.exec_chat_response("m", REQUEST)
            assert response.text == "healthy"
        gc.collect()
        await simulator.wait_for_async(lambda s: s.open_connections == 0)


async def test_a_body_larger_than_any_answer_is_refused(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamellar.providers.http._BODY_LIMIT", 1 << 20)
    with ProviderSimulator(Answer("x" * (2 << 20))) as simulator:
        async with stack(simulator, engine).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_response("m", REQUEST)
    assert (caught.value.kind, caught.value.code) == (ErrorKind.MALFORMED, "body_too_large")


async def test_retry_counts_what_the_provider_saw(engine: str) -> None:
    with ProviderSimulator(Reset()) as simulator:
        async with stack(simulator, engine, Retry(attempts=3, initial=0, max=0)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_response("m", REQUEST)
        assert simulator.request_count == 3 == len(caught.value.attempts)


async def test_a_full_pool_is_a_refusal_and_nobodys_failure(engine: str) -> None:
    with ProviderSimulator(Silence()) as simulator:
        limits = Timeout(connect=0.2)
        async with stack(simulator, engine, limits, max_connections=1).build() as executor:
            first = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
            await simulator.wait_for_async(lambda s: s.request_count == 1)
            with pytest.raises(RejectedError) as caught:
                await executor.exec_chat_response("m", REQUEST)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
    assert caught.value.kind is ErrorKind.POOL_EXHAUSTED
    assert caught.value.failover
    assert not caught.value.counts_against_health
    assert caught.value.attempts[0].outcome is Outcome.REFUSED


@pytest.mark.failure(30)
def test_two_runs_over_one_executor_reach_the_provider(engine: str) -> None:
    with ProviderSimulator() as simulator:
        executor = stack(simulator, engine).build()
        for _ in range(2):
            assert asyncio.run(executor.exec_chat_response("m", REQUEST)).text
        asyncio.run(executor.aclose())
        assert simulator.request_count == 2


async def test_an_injected_client_is_used_and_not_closed() -> None:
    import httpx
    import httpx2

    for module in (httpx, httpx2):
        with ProviderSimulator(Answer("through yours")) as simulator:
            async with module.AsyncClient(headers={"x-mine": "1"}) as client:
                declared = Stack(OpenAI(base_url=simulator.base_url, api_key=KEY))
                async with declared.build(http_client=client) as executor:
                    stream = await executor.exec_chat_stream_events("m", REQUEST)
                    assert (await stream.collect()).text == "through yours"
                assert not client.is_closed
                assert stream.outcome is Outcome.COMPLETED
            assert simulator.requests[0].headers["x-mine"] == "1"


class TestDeclaration:
    """What `OpenAI(...)` takes from the environment, and what it refuses."""

    def test_a_missing_key_is_an_error_of_the_build_that_names_the_variable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
        declared = Stack(OpenAI())
        assert "openai" in declared.describe(), "drawing works without keys"
        with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
            declared.build()
        with pytest.raises(ConfigError, match="MY_KEY"):
            Stack(OpenAI(api_key={"env": "MY_KEY"})).build()

    async def test_the_environment_names_the_endpoint_and_the_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ProviderSimulator(require_key=KEY) as simulator:
            monkeypatch.setenv("OPENAI_BASE_URL", simulator.base_url + "/")
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
            async with Stack(OpenAI()).build() as executor:
                assert (await executor.exec_chat_response("m", REQUEST)).text

    async def test_a_server_of_ones_own_needs_no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        with ProviderSimulator() as simulator:
            async with Stack(OpenAI(base_url=simulator.base_url)).build() as executor:
                assert (await executor.exec_chat_response("m", REQUEST)).text
            assert "authorization" not in simulator.requests[0].headers

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"base_url": "api.openai.com"}, "base_url"),
            ({"base_url": "ftp://x/y"}, "base_url"),
            ({"api_key": 3}, "api_key"),
            ({"api_key": {"enviroment": "X"}}, "api_key"),
            ({"base_url": "https://user:hunter2@host/v1"}, "user name"),
            ({"base_url": "https://host/v1?api-version=1"}, "query"),
            ({"engine": "curl"}, "engine"),
            ({"max_connections": 0}, "max_connections"),
            ({"bas_url": "http://x"}, "did you mean 'base_url'"),
        ],
    )
    def test_wrong_options_are_named(self, options: dict, said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            OpenAI(**options)

    def test_a_wrong_variable_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", "localhost")
        with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
            Stack(OpenAI(api_key=KEY)).build()

    def test_a_missing_certificate_file_is_named(self) -> None:
        with pytest.raises(ConfigError, match="ca_bundle"):
            Stack(OpenAI(api_key=KEY, ca_bundle="nowhere.pem")).build()

    def test_a_credential_in_a_header_is_a_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        literal = Stack(OpenAI(base_url="http://x/v1", headers={"Authorization": "Basic aHVudGVyMg==", "x-team": "a"}))
        assert "aHVudGVyMg" not in f"{literal!r} {literal.describe()}"
        with pytest.raises(ConfigError, match="env"):
            literal.dump()
        named = Stack(OpenAI(base_url="http://x/v1", headers={"authorization": {"env": "GATEWAY"}, "x-team": "a"}))
        assert Stack.loads(named.dump()) == named
        monkeypatch.setenv("GATEWAY", "Basic zzz")
        assert named.executor.own_headers() == {"authorization": "Basic zzz", "x-team": "a"}

    def test_an_injected_client_that_retries_or_overrules_is_told_of(self, caplog: pytest.LogCaptureFixture) -> None:
        import httpx

        client = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=3))
        Stack(OpenAI(api_key=KEY, proxy="http://p:1", max_connections=3)).build(http_client=client)
        assert "retries by itself" in caplog.text
        assert "max_connections, proxy without effect" in caplog.text

    def test_the_key_is_nowhere_to_be_seen(self) -> None:
        declared = Stack(OpenAI(api_key=KEY, proxy="http://user:hunter2@127.0.0.1:1"))
        executor = declared.build()
        shown = f"{declared!r} {declared} {declared.describe()} {executor!r} {executor.children()!r}"
        assert KEY not in shown
        assert "hunter2" not in shown
        with pytest.raises(ConfigError, match="env"):
            declared.dump()
