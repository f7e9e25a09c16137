"""Redact, whatever is said and however it is cut: nothing leaves, and everything comes back."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lamellar import ChatMessage, ChatRequest, Chunk, End, ReasoningChunk, Stack, ToolCallChunk, ToolResponse
from lamellar.chat.content import ToolCall
from lamellar.middleware import Redact
from lamellar.testing import ScriptedExecutor, run_virtual
from lamellar_middleware.redact.finders import find_all, finders

digits = st.text("0123456789", min_size=1)


def luhn(number: str) -> str:
    """The number with its check digit."""
    for check in "0123456789":
        total = sum(
            sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(reversed(number + check))
        )
        if total % 10 == 0:
            return number + check
    raise AssertionError


def iban(country: str, account: str) -> str:
    number = int("".join(str(int(each, 36)) for each in account + country + "00"))
    return f"{country}{98 - number % 97:02}{account}"


def spaced(text: str) -> str:
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
SECRETS = st.one_of(
    st.builds("{}.{}@{}.com".format, words, words, words),
    st.builds("+49 {} {}".format, st.integers(100, 999), st.integers(10**5, 10**7 - 1)),
    st.builds("555-{:03}-{:04}".format, st.integers(0, 999), st.integers(0, 9999)),
    st.builds(luhn, st.builds("4{:014}".format, st.integers(0, 10**14 - 1))),
    st.builds(spaced, st.builds(luhn, st.builds("5{:014}".format, st.integers(0, 10**14 - 1)))),
    st.builds(iban, st.just("DE"), st.builds("{:018}".format, st.integers(0, 10**18 - 1))),
    st.builds(spaced, st.builds(iban, st.just("GB"), st.builds("WEST{:014}".format, st.integers(0, 10**14 - 1)))),
    st.builds("10.{}.{}.{}".format, *[st.integers(0, 255)] * 3),
    st.builds("123-{:02}-{:04}".format, st.integers(1, 99), st.integers(1, 9999)),
    st.builds("sk-{}".format, st.text("abcdef0123456789", min_size=12, max_size=30)),
)
FILLER = st.one_of(words, st.sampled_from(["[EMAIL_1]", "[", "]", "[PHONE_", "{}", "é", "\n", "…", "“x”", "日本"]))
SPEECH = st.lists(st.one_of(SECRETS, FILLER), max_size=12)


def serve(steps: Sequence[object], request: ChatRequest, layer: Redact) -> tuple[ChatRequest, list[object]]:
    """What the provider saw, and the events that the caller got."""
    leaf = ScriptedExecutor(steps)

    async def main() -> list[object]:
        async with Stack(layer, leaf).build() as executor:
            stream = await executor.exec_chat_stream_events("m", request)
            return [event async for event in stream]

    events = run_virtual(main())
    return leaf.calls[0].chat_req, events


@given(SPEECH, SPEECH, SPEECH, st.data())
@settings(deadline=None, max_examples=200)
def test_nothing_that_is_secret_reaches_the_provider_and_all_of_it_comes_back(
    system: list[str], said: list[str], found: list[str], data: st.DataObject
) -> None:
    tool = {"found": [{"value": each} for each in found]}
    messages = (
        ChatMessage.user(" | ".join(said)),
        ChatMessage.assistant(ToolCall(call_id="1", fn_name="f", fn_arguments={"q": said})),
        ChatMessage.tool(ToolResponse(call_id="1", content=tool)),
    )
    request = ChatRequest(system=" , ".join(system), messages=messages)
    leaf_saw, _ = serve([Chunk("x"), End()], request, Redact())
    seen = leaf_saw.model_dump_json()
    looked_for = finders(Redact().patterns, {})
    for each in (*system, *said, *found):
        if find_all(each, looked_for):
            assert each not in seen
    hidden = leaf_saw.messages[0].content[0].text
    cuts = sorted(data.draw(st.lists(st.integers(0, len(hidden)), max_size=8)))
    pieces = [hidden[start:end] for start, end in zip([0, *cuts], [*cuts, len(hidden)], strict=True)]
    _, events = serve([*map(Chunk, pieces), End()], request, Redact())
    told = "".join(event.content for event in events if isinstance(event, Chunk))
    assert told == " | ".join(said), "an answer that repeats what was asked is what was asked"
    assert "".join(part.text for part in events[-1].content) == told


VALUES = ["a@b.com", 'quo"te\\d@x', "c@d.org", "tab\tbed@y"]
LAYER = Redact(patterns=(), custom={"it": "|".join([r"a@b\.com", r'quo"te\\d@x', r"c@d\.org", r"tab\tbed@y"])})
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            ["[IT_1]", "[IT_2]", "[IT_3]", "[IT_4]", "[IT_5]", "[IT_", "[", "]", "1]", "[[IT_1]]", "[IT_1", "I"]
        ),
        st.text("x[]IT_1", max_size=4),
    ),
    max_size=8,
).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


@given(PIECES, PIECES, PIECES, st.lists(st.integers(0, 200), max_size=10))
@example("[IT_1[IT_1]", "", "", [5])
@settings(deadline=None, max_examples=300)
def test_any_cut_of_an_answer_gives_the_same(reasoning: str, text: str, argument: str, places: list[int]) -> None:
    request = ChatRequest.from_user(" ".join(VALUES))
    arguments = json.dumps({"x": argument})

    def told(places: list[int]) -> tuple[str, str, str, object]:
        steps = [
            *map(ReasoningChunk, cut(reasoning, places)),
            *map(Chunk, cut(text, places)),
            ToolCallChunk(0, "1", "f"),
            *[ToolCallChunk(0, arguments=each) for each in cut(arguments, places)],
            End(),
        ]
        _, events = serve(steps, request, LAYER)
        return (
            "".join(event.content for event in events if isinstance(event, ReasoningChunk)),
            "".join(event.content for event in events if isinstance(event, Chunk)),
            "".join(event.arguments for event in events if isinstance(event, ToolCallChunk)),
            events[-1].content,
        )

    whole = told([])
    assert told(places) == whole
    assert json.loads(whole[2]) == whole[3][-1].fn_arguments
    expected = text
    for number, value in enumerate(VALUES, 1):
        expected = expected.replace(f"[IT_{number}]", value)
    assert whole[1] == expected


@given(st.text("ab[IT_1]@.- 0123456789+()'%", max_size=300))
def test_what_is_found_is_apart_and_in_order(text: str) -> None:
    found = find_all(text, finders(Redact().patterns, {}))
    assert all(each.start < each.end for each in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_a_long_text_is_read_once() -> None:
    """Ten times the text takes about ten times the time: nothing goes back over what it has read."""
    hostile = [
        "a" * 50,
        "1 " * 25,
        "4 " * 25,
        "1" * 50,
        "a.b" * 16,
        "+1 " * 16,
        "DE89 " * 10,
        "10." * 16,
        "x@" * 25,
        "'a" * 25,
    ]
    looked_for = finders(Redact().patterns, {})

    def seconds(text: str) -> float:
        began = time.perf_counter()
        find_all(text, looked_for)
        return time.perf_counter() - began

    for each in hostile:
        small = min(seconds(each * 20) for _ in range(3))
        large = min(seconds(each * 200) for _ in range(3))
        assert large < 40 * small + 0.02, each
