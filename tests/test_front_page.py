"""The front page of the contract, letter by letter: the lines run as they are written."""

import ast
import asyncio
import contextlib
import inspect
import io
from random import Random

import pytest

from lamellar import ChatRequest, Stack, SyncExecutor
from lamellar.middleware import Cache, Fallback, RateLimit, Retry, Target, Timeout, Tracing
from lamellar.providers import Anthropic, OpenAI
from lamellar.testing import ManualClock
from lamellar.testing.simulator import Answer, ProviderSimulator, quota_exhausted

CODE = """
from lamellar import ChatRequest, Chunk, End, Stack
from lamellar.middleware import Cache, Fallback, RateLimit, Retry, Target, Timeout, Tracing
from lamellar.providers import Anthropic, OpenAI

stack = Stack(                                    # first listed = outermost
    Tracing(),
    Cache(ttl="10m"),
    Timeout(total=300, first_content=10, idle=15),
    Fallback(
        Target(Retry(attempts=3), RateLimit(requests_per_minute=500), OpenAI(), model="gpt-4o-mini"),
        Target(Retry(attempts=2), Anthropic(), model="claude-haiku-4-5"),
    ),
)

async with stack.build() as executor:             # an LlmExecutor; owns and closes its HTTP clients
    response = await executor.exec_chat_response("gpt-4o-mini", ChatRequest.from_user("Why is the sky blue?"))
    print(response.text, response.usage, response.attempts)

    async with await executor.exec_chat_stream_events("gpt-4o-mini", ChatRequest.from_user("Again, slowly.")) as events:
        async for event in events:
            match event:
                case Chunk(content=text): print(text, end="", flush=True)
                case End(usage=usage, stop_reason=reason): print(usage, reason)
"""

YAML = """
# stack.yaml: the JSON form of the same specs, nothing more
version: 1
layers:
  - tracing                                       # a bare name takes every default
  - cache: {ttl: 10m, max_entries: 10000}
  - timeout: {total: 5m, first_content: 10s, idle: 15s}
executor:
  fallback:
    targets:
      - model: gpt-4o-mini
        layers: [{retry: {attempts: 3}}, {rate_limit: {requests_per_minute: 500}}]
        executor: openai                          # key from OPENAI_API_KEY, as for `openai: {}`
      - model: claude-haiku-4-5
        layers: [retry]
        executor: {anthropic: {api_key: {env: ANTHROPIC_API_KEY}}}
"""

TEXT = "Air scatters blue light."


@pytest.fixture
def providers(monkeypatch):
    """OpenAI and Anthropic, each on loopback behind its own variables."""
    with (
        ProviderSimulator(Answer(TEXT), require_key="k-openai") as openai,
        ProviderSimulator(Answer(TEXT), dialect="anthropic", require_key="k-anthropic") as anthropic,
    ):
        monkeypatch.setenv("OPENAI_BASE_URL", openai.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "k-openai")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", anthropic.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k-anthropic")
        yield openai, anthropic


async def run(code):
    """Run a program with `await` at its top level; what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = eval(compile(code, "front page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {})
        if inspect.iscoroutine(result):
            await result
    return printed.getvalue().splitlines()


async def test_the_code_runs_as_written(providers):
    openai, anthropic = providers
    whole, streamed = await run(CODE)
    assert whole.startswith(f"{TEXT} Usage(prompt_tokens=")
    assert "AttemptRecord(number=1, target='openai/gpt-4o-mini'" in whole
    assert streamed.startswith((f"{TEXT}prompt_tokens=", f"{TEXT}Usage("))
    assert streamed.endswith(" completed")
    assert [request.stream for request in openai.requests] == [False, True]
    assert anthropic.request_count == 0


async def test_the_code_fails_over_to_the_other_dialect(providers):
    openai, anthropic = providers
    openai.reset(quota_exhausted())  # which no retry waits for
    whole, _ = await run(CODE)
    assert "target='anthropic/claude-haiku-4-5'" in whole
    assert openai.request_count == 2
    assert [request.model for request in anthropic.requests] == ["claude-haiku-4-5"] * 2


async def test_the_file_runs_as_written(providers, tmp_path):
    openai, anthropic = providers
    (tmp_path / "stack.yaml").write_text(YAML, encoding="utf-8")
    stack = Stack.load(tmp_path / "stack.yaml")
    assert stack == Stack(
        Tracing(),
        Cache(ttl="10m", max_entries=10000),
        Timeout(total="5m", first_content="10s", idle="15s"),
        Fallback(
            Target(Retry(attempts=3), RateLimit(requests_per_minute=500), OpenAI(), model="gpt-4o-mini"),
            Target(Retry(), Anthropic(api_key={"env": "ANTHROPIC_API_KEY"}), model="claude-haiku-4-5"),
        ),
    )
    assert Stack.loads(stack.dump()) == stack
    request = ChatRequest.from_user("Why is the sky blue?")
    async with stack.build() as executor:
        first = await executor.exec_chat_response("gpt-4o-mini", request)
        again = await (await executor.exec_chat_stream_events("gpt-4o-mini", request)).collect()
    assert (first.text, again.text, first.cached, again.cached) == (TEXT, TEXT, False, True)
    assert openai.request_count == 1
    assert anthropic.request_count == 0


def test_what_a_test_injects_and_code_without_a_loop(providers, tmp_path):
    import httpx

    (tmp_path / "stack.yaml").write_text(YAML, encoding="utf-8")
    stack = Stack.load(tmp_path / "stack.yaml")
    assert "rate_limit requests_per_minute=500" in stack.describe()
    # No connection outlives its answer: the loop that `SyncExecutor` runs is gone when the client is closed.
    client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
    executor = stack.build(clock=ManualClock(), rng=Random(0), http_client=client)
    with SyncExecutor(executor) as sync:
        reply = sync.exec_chat_response("gpt-4o-mini", ChatRequest.from_user("hi"))
    assert reply.text == TEXT
    asyncio.run(client.aclose())


def test_the_tree_is_drawn_without_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert Stack.loads(YAML).describe().splitlines() == [
        "stack",
        "└─ tracing",
        "   └─ cache ttl=600 max_entries=10000",
        "      └─ timeout total=300 first_content=10 idle=15",
        "         └─ fallback",
        "            ├─ target openai/gpt-4o-mini",
        "            │  └─ retry attempts=3",
        "            │     └─ rate_limit requests_per_minute=500",
        "            │        └─ openai",
        "            └─ target anthropic/claude-haiku-4-5",
        "               └─ retry",
        "                  └─ anthropic api_key=Secret(env='ANTHROPIC_API_KEY')",
    ]
