"""What the provider plays: the scenarios that every dialect shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamellar import ToolCall, Usage
from lamellar.chat.usage import CompletionDetails, PromptDetails
from lamellar.errors import ErrorKind
from lamellar.testing.simulator import (
    Answer,
    InBandError,
    Reply,
    Status,
    bad_request,
    content_policy,
    context_overflow,
    model_not_found,
    overloaded,
    permission_denied,
    rate_limited,
    server_error,
    unauthorized,
)
from lamellar.testing.simulator.steps import Scene, Step, whole

__all__ = ["ANSWERS", "ERRORS", "IN_BAND", "Fixed", "Same"]

UNICODE = 'Zürich, 首都 🗼, e\u0301 and \u200b a\r\nline\u2028break, "quotes" and \\ \t tabs.'
CALL = ToolCall(
    call_id="call_1", fn_name="weather", fn_arguments={"city": "Orléans", "days": [1, 2], "deep": {"a": None}}
)
OTHER = ToolCall(call_id="call_2", fn_name="weather", fn_arguments={"city": "Rome"})
BARE = ToolCall(call_id="call_3", fn_name="now", fn_arguments={})
TOKENS = Usage(prompt_tokens=120, completion_tokens=30, total_tokens=150)
CACHED = TOKENS.model_copy(
    update={
        "prompt_details": PromptDetails(cached_tokens=100),
        "completion_details": CompletionDetails(reasoning_tokens=12),
    }
)

ANSWERS: dict[str, Answer] = {
    "text": Answer("Paris is the capital of France.", usage=TOKENS),
    "unicode": Answer(UNICODE, chunk_size=1, usage=TOKENS),
    "in one write": Answer("All at once.", burst=True, usage=TOKENS),
    "a call": Answer("", tool_calls=[CALL], usage=TOKENS),
    "a call in small pieces": Answer("", tool_calls=[CALL], chunk_size=1, usage=TOKENS),
    "a call without arguments": Answer("", tool_calls=[BARE], usage=TOKENS),
    "text and parallel calls": Answer("Let me see.", tool_calls=[CALL, OTHER, BARE], usage=TOKENS),
    "reasoning": Answer("42.", reasoning="Six times nine: " + UNICODE, usage=CACHED),
    "reasoning and a call": Answer("", reasoning="I must ask.", tool_calls=[CALL], usage=CACHED),
    "usage with a cache": Answer("Cheap.", usage=CACHED),
    "no usage": Answer("Who counts?", usage=None),
    "cut at the bound": Answer("One, two,", stop_reason="max_tokens", usage=TOKENS),
    "filtered after a part": Answer("Well,", stop_reason="content_filter", usage=TOKENS),
    "another model": Answer("I am another.", model="another-model-001", usage=TOKENS),
}

ERRORS: dict[str, Reply] = {
    "400": bad_request(),
    "400 of a long prompt": context_overflow(),
    "400 of a filter": content_policy(),
    "401": unauthorized(),
    "403": permission_denied(),
    "404": model_not_found(),
    "409": Status(status=409),
    "429": rate_limited(retry_after=2),
    "500": server_error(),
    "502": Status(status=502),
    "503": Status(status=503),
    "529": Status(status=529),
    "overloaded": overloaded(),
}

IN_BAND: dict[str, Reply] = {
    "before content": InBandError(ANSWERS["text"], after=0, kind=ErrorKind.OVERLOADED),
    "after content": InBandError(ANSWERS["text"], after=2, kind=ErrorKind.SERVER_ERROR),
}


class Same(Reply):
    """Another reply's very bytes for every request after the first, so that both clients read the same."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._steps: list[Step] | None = None

    def steps(self, scene: Scene) -> Iterator[Step]:
        """Those that the first request got."""
        if self._steps is None:
            self._steps = list(self._reply.steps(scene))
        return iter(self._steps)


@dataclass(frozen=True, slots=True)
class Fixed(Reply):
    """What a provider sends and the simulator does not make by itself: one body, or the events of a stream.

    Args:
        body: The bytes of a whole answer.
        events: The bytes of a stream.
        stream_type: The content type of a stream.
    """

    body: bytes
    events: bytes
    stream_type: str = "text/event-stream"

    def steps(self, scene: Scene) -> Iterator[Step]:
        """The bytes."""
        if scene.request.stream:
            return whole(200, self.events, content_type=self.stream_type)
        return whole(200, self.body)
