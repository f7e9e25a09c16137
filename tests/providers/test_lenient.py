"""A lenient provider: what only steers an answer is left out and told in the log, what carries meaning is refused."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from lamellar import Binary, ChatMessage, ChatOptions, ChatRequest, ExecutorError, Stack, Tool
from lamellar.middleware import Fallback, Target
from lamellar.providers import Anthropic, Gemini, OpenAI
from lamellar.providers.dialects import dialect_named
from lamellar.providers.wire import Endpoint, Quirks
from lamellar.testing.simulator import Answer, ProviderSimulator

ASK = ChatRequest.from_user("hi")
LOGGER = "lamellar.providers"

STEERS: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("chat", "gpt-5.1", "reasoning_effort", {"reasoning_effort": 2000}, {}),
    ("anthropic", "claude-opus-4-5", "seed", {"seed": 77123}, {}),
    ("anthropic", "claude-opus-4-5", "frequency_penalty", {"frequency_penalty": 0.77123}, {}),
    ("anthropic", "claude-opus-4-5", "presence_penalty", {"presence_penalty": 0.77123}, {}),
    ("anthropic", "claude-opus-4-5", "verbosity", {"verbosity": "low"}, {}),
    ("anthropic", "claude-opus-4-5", "service_tier", {"service_tier": "flex"}, {}),
    ("anthropic", "claude-opus-4-8", "temperature", {"temperature": 0.77123}, {}),
    ("anthropic", "claude-opus-4-8", "top_p", {"top_p": 0.77123}, {}),
    ("anthropic", "claude-opus-4-8", "reasoning_effort", {"reasoning_effort": 5000}, {}),
    ("anthropic", "claude-3-5-haiku-latest", "reasoning_effort", {"reasoning_effort": "low"}, {}),
    ("anthropic", "claude-fable-5", "reasoning_effort", {"reasoning_effort": "zero"}, {}),
    ("anthropic", "claude-sonnet-4-5", "reasoning_effort", {"reasoning_effort": 1000}, {}),
    ("anthropic", "claude-sonnet-4-5", "reasoning_effort", {"reasoning_effort": "low"}, {"max_tokens": 1024}),
    ("anthropic", "claude-sonnet-4-5", "reasoning_effort", {"reasoning_effort": 2000}, {"max_tokens": 2000}),
    ("gemini", "gemini-2.5-flash", "verbosity", {"verbosity": "low"}, {}),
    ("gemini", "gemini-2.5-flash", "parallel_tool_calls", {"parallel_tool_calls": False}, {}),
    ("gemini", "gemini-3-pro-preview", "reasoning_effort", {"reasoning_effort": "zero"}, {}),
]
"""A dialect, a model, the option that cannot be said to it, and the options beside it that can."""

DOCUMENT = Binary.from_url("application/pdf", "https://example.com/a.pdf")
VIDEO = Binary.from_base64("video/mp4", "QUJD")
MEANS: list[tuple[str, str, ChatRequest, ChatOptions | None]] = [
    ("chat", "gpt-5.1", ChatRequest.from_user(DOCUMENT), None),
    ("chat", "gpt-5.1", ASK.model_copy(update={"previous_response_id": "r"}), None),
    ("anthropic", "claude-opus-4-5", ChatRequest.from_user(VIDEO), None),
    ("anthropic", "claude-opus-4-5", ASK, ChatOptions(response_format="json")),
    (
        "anthropic",
        "claude-opus-5-5",
        ASK.with_tools(Tool(name="f")),
        ChatOptions(tool_choice="required"),  # type: ignore[arg-type]
    ),
    ("gemini", "gemini-2.5-flash", ASK.append_message(ChatMessage.system("late")), None),
]


def build(
    dialect: str, model: str, request: ChatRequest, options: ChatOptions | None, *, lenient: bool
) -> dict[str, Any]:
    endpoint = Endpoint(dialect, "https://api.example", "k", quirks=Quirks(), lenient=lenient)
    wire = dialect_named(dialect, dialect).build_request(endpoint, model, request, options, stream=False)
    return json.loads(wire.body)


def names(rows: list[Any]) -> list[str]:
    return [f"{dialect}-{model}-{field}" for dialect, model, field, *_ in rows]


@pytest.mark.parametrize(("dialect", "model", "field", "said", "beside"), STEERS, ids=names(STEERS))
def test_what_steers_is_refused_by_name_or_left_out_and_told_once(
    dialect: str,
    model: str,
    field: str,
    said: dict[str, Any],
    beside: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
):
    options = ChatOptions(**said, **beside)
    with caplog.at_level(logging.DEBUG, LOGGER):
        with pytest.raises(ExecutorError) as caught:
            build(dialect, model, ASK, options, lenient=False)
        assert caught.value.message.startswith(f"{field}: ")
        assert (caught.value.code, caught.value.failover) == ("unsupported", True)
        assert not caplog.records

        sent = build(dialect, model, ASK, options, lenient=True)
    assert sent == build(dialect, model, ASK, ChatOptions(**beside), lenient=False)
    (record,) = caplog.records
    assert (record.name, record.levelno) == (LOGGER, logging.INFO)
    line = record.getMessage()
    assert line.startswith(f"{field}: ")
    assert model in line
    value = said[field]
    assert not isinstance(value, int | float) or isinstance(value, bool) or str(value) not in line.replace(model, "")
    assert not isinstance(value, str) or f"'{value}'" not in line


@pytest.mark.parametrize(("dialect", "model", "request_", "options"), MEANS)
def test_what_carries_meaning_is_refused_all_the_same(
    dialect: str, model: str, request_: ChatRequest, options: ChatOptions | None
):
    with pytest.raises(ExecutorError) as caught:
        build(dialect, model, request_, options, lenient=True)
    assert caught.value.code == "unsupported"


def test_several_fields_are_a_line_each(caplog: pytest.LogCaptureFixture):
    options = ChatOptions(seed=1, verbosity="low", temperature=0.5, prompt_cache_key="k")
    with caplog.at_level(logging.INFO, LOGGER):
        build("anthropic", "claude-opus-4-8", ASK, options, lenient=True)
    fields = sorted(record.getMessage().partition(":")[0] for record in caplog.records)
    assert fields == ["seed", "temperature", "verbosity"]  # a cache's key is a hint, and no loss


async def test_a_fallback_goes_on_where_a_lenient_target_would_have_answered():
    with (
        ProviderSimulator(Answer("Anthropic."), dialect="anthropic") as claude,
        ProviderSimulator(Answer("Gemini."), dialect="gemini") as gemini,
    ):
        for lenient, text in ((False, "Gemini."), (True, "Anthropic.")):
            stack = Stack(
                Fallback(
                    Target(Anthropic(base_url=claude.base_url, lenient=lenient), model="claude-haiku-4-5"),
                    Target(Gemini(base_url=gemini.base_url), model="gemini-2.5-flash"),
                )
            )
            async with stack.build() as executor:
                response = await executor.exec_chat_response("any", ASK, ChatOptions(seed=7))
            assert response.text == text
        assert (claude.request_count, gemini.request_count) == (1, 1)
        sent, other = claude.last_request.json, gemini.last_request.json
    assert isinstance(sent, dict)
    assert "seed" not in sent
    assert isinstance(other, dict)
    assert other["generationConfig"] == {"seed": 7}


async def test_a_target_that_cannot_say_an_option_may_unset_it():
    with ProviderSimulator(Answer("Yes."), dialect="anthropic") as claude:
        target = Target(Anthropic(base_url=claude.base_url), model="claude-haiku-4-5", unset=("seed",))
        async with Stack(Fallback(target)).build() as executor:
            response = await executor.exec_chat_response("any", ASK, ChatOptions(seed=7))
        assert response.text == "Yes."


@pytest.mark.parametrize("provider", [OpenAI, Anthropic, Gemini])
def test_lenient_is_an_option_that_is_dumped_and_tells_stacks_apart(provider: Any):
    strict, lenient = provider(base_url="http://localhost:1"), provider(base_url="http://localhost:1", lenient=True)
    assert not strict.lenient
    assert Stack.loads(Stack(lenient).dump()) == Stack(lenient)
    assert strict.identity() != lenient.identity()
