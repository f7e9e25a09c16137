"""Redact: what is found, what the provider sees of it, and what the caller gets back."""

from __future__ import annotations

import pytest

from lamellar import (
    ChatMessage,
    ChatRequest,
    Chunk,
    ConfigError,
    End,
    ExecutorError,
    LamellarError,
    ReasoningChunk,
    Restart,
    Stack,
    StreamInterruptedError,
    ThoughtSignatureChunk,
    ToolCall,
    ToolCallChunk,
    ToolResponse,
)
from lamellar.chat.content import Binary, Custom, ReasoningContent, Text
from lamellar.middleware import Cache, Fallback, Redact
from lamellar.testing import ScriptedExecutor, answer, run_virtual

EMAIL = "bob@example.com"
KEY = "sk-abcdefgh12345678"


def sent(request: ChatRequest | str, layer: Redact | None = None) -> ChatRequest:
    """What the provider sees of a request."""
    leaf = ScriptedExecutor("fine")
    asked = ChatRequest.from_user(request) if isinstance(request, str) else request

    async def main() -> None:
        async with Stack(layer or Redact(), leaf).build() as executor:
            await executor.exec_chat_response("m", asked)

    run_virtual(main())
    return leaf.calls[0].chat_req


def text(request: str, layer: Redact | None = None) -> str:
    return sent(request, layer).messages[0].content[0].text


def got(request: str, *steps: object, layer: Redact | None = None) -> list[object]:
    """The events a caller gets of an answer of these steps; an error last, if there is one."""

    async def main() -> list[object]:
        events: list[object] = []
        async with Stack(layer or Redact(), ScriptedExecutor([*steps])).build() as executor:
            try:
                async with await executor.exec_chat_stream_events("m", ChatRequest.from_user(request)) as stream:
                    async for event in stream:
                        events.append(event)
            except LamellarError as error:
                events.append(error)
        return events

    return run_virtual(main())


# -- what is found -----------------------------------------------------------------------------------------------

FOUND = {
    "EMAIL": [EMAIL, "first.last+tag@sub.example.co.uk", "o'brien@example.com", "jürgen@exämple.de"],
    "PHONE": [
        "+49 30 1234567",
        "+1 (555) 123-4567",
        "0049 30 1234567",
        "555-123-4567",
        "(555) 123-4567",
        "+15551234567",
    ],
    "CREDIT_CARD": ["4111 1111 1111 1111", "4111111111111111", "3782-822463-10005", "5555.5555.5555.4444"],
    "IBAN": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "nl91abna0417164300"],
    "IPV4": ["10.0.0.1", "255.255.255.255"],
    "SSN": ["123-45-6789", "123 45 6789"],
    "API_KEY": [KEY, "ghp_abcdefghij0123456789", "AKIAIOSFODNN7EXAMPLE", "xoxb-1234567890-abcdef"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FOUND.items() for value in values])
def test_it_is_found_wherever_it_stands(name: str, value: str) -> None:
    layer = Redact(patterns=name.lower())
    for around in ("{}", "see {}.", "({})", "a\n{}\nb", "{}, and so on", '"{}"', "= {} ="):
        assert text(around.format(value), layer) == around.format(f"[{name}_1]")


@pytest.mark.parametrize(
    "nothing",
    [
        "2024-01-15 10:30:00",
        "4111 1111 1111 1112",
        "1700000000000",
        "256.1.1.1",
        "v1.2.3",
        "000-12-3456",
        "666-12-3456",
        "a @ b",
        "item-12345-67890",
        "the api key is missing",
    ],
)
def test_what_only_looks_like_it_stays(nothing: str) -> None:
    assert text(nothing) == nothing


def test_an_account_with_wrong_check_digits_is_none() -> None:
    assert text("DE88 3704 0044 0532 0130 00", Redact(patterns="iban")) == "DE88 3704 0044 0532 0130 00"


def test_a_card_is_found_beside_other_numbers_and_an_account_before_words() -> None:
    assert text("12 4111 1111 1111 1111 123") == "12 [CREDIT_CARD_1] 123"
    assert text("GB82 WEST 1234 5698 7654 32 is mine") == "[IBAN_1] is mine"


def test_secrets_of_headers_urls_and_private_keys_are_found() -> None:
    assert text("Authorization: Bearer abc123def456") == "Authorization: Bearer [API_KEY_1]"
    assert text("postgres://user:hunter2@db/x") == "postgres://[API_KEY_1]@db/x"
    pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----"
    assert text(f"use\n{pem}\nnow") == "use\n[API_KEY_1]\nnow"


def test_patterns_of_ones_own_and_only_those() -> None:
    layer = Redact(patterns=(), custom={"staff": r"E\d{6}", "room": r"room \w+"})
    assert text(f"E123456 in room B12, {EMAIL}", layer) == f"[STAFF_1] in [ROOM_1], {EMAIL}"


def test_what_overlaps_is_hidden_together() -> None:
    layer = Redact(patterns="email", custom={"user": r"user \w+"})
    assert text("user bob@example.com!", layer) == "[USER_1]!"


def test_equal_values_have_one_placeholder_and_others_have_others() -> None:
    assert text("a@b.com, c@d.com, a@b.com") == "[EMAIL_1], [EMAIL_2], [EMAIL_1]"


def test_what_stands_in_the_request_by_itself_is_no_placeholder() -> None:
    assert text(f"[EMAIL_1] and {EMAIL}") == "[EMAIL_1] and [EMAIL_2]"
    events = got(f"[EMAIL_1] and {EMAIL}", Chunk("[EMAIL_1], [EMAIL_2], [EMAIL_3]"), End())
    assert events[1].content == f"[EMAIL_1], {EMAIL}, [EMAIL_3]"


# -- where -------------------------------------------------------------------------------------------------------

CONVERSATION = ChatRequest(
    system=f"system {EMAIL}",
    messages=(
        ChatMessage.system(f"more {EMAIL}"),
        ChatMessage.user([Text(f"user {EMAIL}"), Binary.from_base64("image/png", "AAAA"), Custom(data={"q": EMAIL})]),
        ChatMessage.assistant(
            [
                ReasoningContent(text=f"hm {EMAIL}"),
                Text(f"said {EMAIL}"),
                ToolCall(call_id="1", fn_name="mail", fn_arguments={"to": [EMAIL]}),
                Custom(data={"signed": EMAIL}),
            ]
        ),
        ChatMessage.tool(ToolResponse(call_id="1", content={EMAIL: [EMAIL, 4111111111111111, 7, None, True, 1.5]})),
    ),
)


def test_every_place_of_a_request_is_looked_at() -> None:
    request = sent(CONVERSATION)
    assert request.system == "system [EMAIL_1]"
    _, user, assistant, tool = request.messages
    assert user.content[0].text == "user [EMAIL_1]"
    assert user.content[1] is CONVERSATION.messages[1].content[1]
    assert user.content[2].data == {"q": "[EMAIL_1]"}
    assert assistant.content[0].text == "hm [EMAIL_1]"
    assert assistant.content[2].fn_arguments == {"to": ["[EMAIL_1]"]}
    assert assistant.content[3].data == {"signed": EMAIL}, "the provider's own goes back unchanged"
    assert tool.content[0].content == {"[EMAIL_1]": ["[EMAIL_1]", "[CREDIT_CARD_1]", 7, None, True, 1.5]}
    assert CONVERSATION.system == f"system {EMAIL}", "nobody changed what the caller gave"


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ("system", ["user", "hm", "said", "to", "tool"]),
        ("messages", ["system", "more", "to"]),
        ("tools", ["user", "said"]),
    ],
)
def test_only_the_places_that_are_named(where: str, left: list[str]) -> None:
    request = sent(CONVERSATION, Redact(where=where))
    said = {
        "system": request.system,
        "more": request.messages[0].content[0].text,
        "user": request.messages[1].content[0].text,
        "hm": request.messages[2].content[0].text,
        "said": request.messages[2].content[1].text,
        "to": str(request.messages[2].content[2].fn_arguments),
        "tool": str(request.messages[3].content[0].content),
    }
    assert {name for name in left if EMAIL in said[name]} == set(left)
    hidden = {"system": "system", "messages": "user", "tools": "tool"}[where]
    assert EMAIL not in said[hidden]


def test_a_request_with_nothing_to_hide_is_passed_on_as_it_is() -> None:
    request = ChatRequest.from_user("nothing")
    assert sent(request) is request


# -- what comes back ---------------------------------------------------------------------------------------------


def test_values_come_back_in_a_whole_answer() -> None:
    steps = [
        ReasoningChunk("to [EMAIL_1]"),
        Chunk("mail [EMAIL_1]"),
        ToolCallChunk(0, "1", "mail", '{"to": "[EMAIL_1]", "[EMAIL_1]": 1}'),
        End(),
    ]

    async def main() -> None:
        async with Stack(Redact(), ScriptedExecutor(steps)).build() as executor:
            response = await executor.exec_chat_response("m", ChatRequest.from_user(EMAIL))
        assert response.text == f"mail {EMAIL}"
        assert response.reasoning_content == f"to {EMAIL}"
        assert response.tool_calls[0].fn_arguments == {"to": EMAIL, EMAIL: 1}

    run_virtual(main())


def test_values_come_back_across_the_borders_of_chunks() -> None:
    events = got(f"{EMAIL} {KEY}", *map(Chunk, ["to [", "EMA", "IL_1", "]; [API_KEY_1", "]", " [x"]), End())
    assert [event.content for event in events[1:-1]] == ["to ", f"{EMAIL}; ", KEY, " [x"]
    assert events[-1].content == (Text(f"to {EMAIL}; {KEY} [x"),)


def test_what_is_held_is_told_when_it_is_no_placeholder() -> None:
    events = got(EMAIL, Chunk("[EMAIL"), ReasoningChunk("hm [EM"), ThoughtSignatureChunk("s"), Chunk("_1]"), End())
    assert [event.content for event in events[1:-1]] == ["[EMAIL", "hm ", "[EM", "s", "_1]"]


def test_arguments_of_tool_calls_come_back_as_json() -> None:
    request = 'call "the boss"\nnow'
    layer = Redact(patterns=(), custom={"who": r'"the boss"\s'})
    deltas = ['{"who": "[W', 'HO_1]"', ', "also": "[WH', 'O_1]"}']
    steps = [ToolCallChunk(0, "a", "call", deltas[0]), *[ToolCallChunk(0, arguments=delta) for delta in deltas[1:]]]
    other = ToolCallChunk(1, "b", "call", "[WHO_1")
    events = got(request, steps[0], other, *steps[1:], End(), layer=layer)
    told = "".join(event.arguments for event in events if isinstance(event, ToolCallChunk) and event.index == 0)
    assert told == '{"who": "\\"the boss\\"\\n", "also": "\\"the boss\\"\\n"}'
    first, second = events[-1].tool_calls
    assert first.fn_arguments == {"who": '"the boss"\n', "also": '"the boss"\n'}
    rest = "".join(event.arguments for event in events if isinstance(event, ToolCallChunk) and event.index == 1)
    assert rest == second.fn_arguments == "[WHO_1"


def test_a_restart_drops_what_is_held() -> None:
    inner = Fallback(
        ScriptedExecutor([Chunk("so, [EMA"), ExecutorError("overloaded", "no")]),
        ScriptedExecutor(answer(["IL_1] or [EMAIL_1]"])),
        on_interrupt="restart",
    )

    async def main() -> list[object]:
        async with Stack(Redact(), inner).build() as executor:
            stream = await executor.exec_chat_stream_events("m", ChatRequest.from_user(EMAIL))
            return [event async for event in stream]

    events = run_virtual(main())
    assert [type(event) for event in events[1:]] == [Chunk, Restart, Chunk, End]
    assert events[3].content == f"IL_1] or {EMAIL}"
    assert events[-1].content == (Text(f"IL_1] or {EMAIL}"),)


def test_a_stream_that_breaks_tells_what_was_delivered() -> None:
    *events, error = got(EMAIL, Chunk("to [EMAIL_1], [EMA"), ExecutorError("overloaded", "no"))
    assert isinstance(error, StreamInterruptedError)
    assert error.text == events[1].content == f"to {EMAIL}, "
    (error,) = got(EMAIL, Chunk("[EMA"), ExecutorError("overloaded", "no"))
    assert not isinstance(error, StreamInterruptedError)
    assert error.retryable, "nothing was delivered, so another try may do better"


def test_without_restore_the_placeholders_stay() -> None:
    events = got(EMAIL, Chunk("to [EMAIL_1]"), End(), layer=Redact(restore=False))
    assert events[1].content == "to [EMAIL_1]"


def test_each_call_has_placeholders_of_its_own() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(answer(["[EMAIL_1]"]), answer(["[EMAIL_1]"]))
        async with Stack(Redact(), leaf).build() as executor:
            texts = [
                (await executor.exec_chat_response("m", ChatRequest.from_user(each))).text
                for each in ("a@b.de", "nobody")
            ]
        assert texts == ["a@b.de", "[EMAIL_1]"]

    run_virtual(main())


def test_a_cache_inside_answers_alike_requests_each_with_its_own_values() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(answer(["Dear [EMAIL_1]"]))
        async with Stack(Redact(), Cache(), leaf).build() as executor:
            for each in ("a@b.de", "c@d.de"):
                response = await executor.exec_chat_response("m", ChatRequest.from_user(f"write to {each}"))
                assert response.text == f"Dear {each}"
        assert len(leaf.calls) == 1

    run_virtual(main())


def test_the_look_of_a_placeholder() -> None:
    assert text(f"to {EMAIL}", Redact(placeholder="<{name}-{number}>")) == "to <EMAIL-1>"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"patterns": ()}, "patterns: there is nothing to look for"),
        ({"patterns": "mail"}, "patterns"),
        ({"where": ()}, "where: there is nowhere to look"),
        ({"custom": {"a": "("}}, "custom.a: not a regular expression"),
        ({"custom": {"a": "x*"}}, "custom.a: it matches nothing at all"),
        ({"custom": {"a b": "x"}}, "custom: 'a b' is no name"),
        ({"custom": {"Email": "x"}}, "custom: 'Email' is the name of a built-in pattern"),
        ({"placeholder": "[{name}]"}, "placeholder: {name} and {number} once each"),
        ({"placeholder": "{name}{number}"}, "placeholder: it begins with one sign and ends with another"),
        ({"placeholder": "#{name}{number}#"}, "placeholder: it begins with one sign"),
        ({"placeholder": "<{name}>{number}>"}, "placeholder: it begins with one sign"),
        ({"placeholder": '"{name}{number}]'}, "placeholder: plain ASCII"),
        ({"placeholder": "«{name}{number}»"}, "placeholder: plain ASCII"),
        ({"resore": False}, "did you mean 'restore'"),
    ],
)
def test_wrong_options_are_named(wrong: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("{", r"\{")):
        Redact(**wrong)


def test_the_identity_is_what_changes_the_request() -> None:
    assert Redact().identity() != Redact(patterns="email").identity() != Redact(custom={"a": "b"}).identity()
