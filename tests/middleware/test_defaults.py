"""Defaults: options and a system prompt for calls that do not say otherwise."""

from __future__ import annotations

import asyncio

import pytest

from lamellar import CallContext, ChatMessage, ChatOptions, ChatRequest, ConfigError, Stack, ToolChoice
from lamellar.middleware import Defaults
from lamellar.testing import ScriptedExecutor

REQUEST = ChatRequest.from_user("hi")


def asked(plate: Defaults, chat_req: ChatRequest = REQUEST, options: ChatOptions | None = None):
    """What the leaf is asked, by a whole answer and by a stream."""
    leaf = ScriptedExecutor("a", repeat=True)

    async def main() -> None:
        async with Stack(plate, leaf).build() as executor:
            await executor.exec_chat_response("m", chat_req, options)
            await (await executor.exec_chat_stream_events("m", chat_req, options)).collect()

    asyncio.run(main())
    first, second = leaf.calls
    assert (first.chat_req, first.options) == (second.chat_req, second.options)
    return first


def test_a_call_that_says_nothing_gets_them() -> None:
    call = asked(Defaults(temperature=0, max_tokens=500, system="Be brief.", tool_choice="required"))
    assert call.options == ChatOptions(temperature=0, max_tokens=500, tool_choice=ToolChoice(kind="required"))
    assert call.chat_req == REQUEST.with_system("Be brief.")
    assert REQUEST.system is None


def test_what_the_caller_says_wins_value_by_value() -> None:
    given = ChatOptions(temperature=0.9, extra_headers={"x-b": "2"}, call=CallContext(tags={"team": "a"}))
    call = asked(Defaults(temperature=0, seed=1, extra_headers={"x-a": "1"}), options=given)
    assert call.options == ChatOptions(
        temperature=0.9, seed=1, extra_headers={"x-b": "2"}, call=CallContext(tags={"team": "a"})
    )


@pytest.mark.parametrize(
    "own", [REQUEST.with_system("Mine."), REQUEST.append_message(ChatMessage.system("Mine."))], ids=["field", "message"]
)
def test_a_system_prompt_of_the_requests_own_stays(own: ChatRequest) -> None:
    assert asked(Defaults(system="Be brief."), own).chat_req == own


def test_it_has_every_option_of_a_call() -> None:
    assert Defaults.model_fields.keys() - {"system"} == ChatOptions.model_fields.keys() - {"call"}
    for name, field in Defaults.model_fields.items():
        if name not in ("system", "extra_headers"):  # a stack may name a secret in its headers
            assert field.annotation == ChatOptions.model_fields[name].annotation, name


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"temprature": 1}, "temprature: unknown option; did you mean 'temperature'"),
        ({"max_tokens": 0}, "max_tokens: expected"),
        ({"reasoning_effort": -1}, "reasoning_effort: a reasoning budget is a number of tokens"),
        ({"extra_headers": {"a": "b\nc"}}, "extra_headers: 'a' holds a line break"),
        ({"call": {"timeout": 1}}, "call: unknown option"),
    ],
)
def test_a_wrong_option_is_named(said: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Defaults(**said)


def test_the_identity_is_what_is_sent() -> None:
    plate = Defaults(temperature=0, system="s", extra_headers={"x-api-key": "k-1"}, capture_raw_body=True)
    assert plate.identity() == {"defaults": {"options": {"temperature": 0}, "system": "s"}}
    assert "k-1" not in repr(plate)


def test_it_reads_well_in_a_file() -> None:
    text = "layers: [{defaults: {temperature: 0, max_tokens: 500, stop_sequences: END}}]\nexecutor: openai"
    assert Stack.loads(text).layers == (Defaults(temperature=0, max_tokens=500, stop_sequences=("END",)),)
