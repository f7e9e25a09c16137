"""Two simulated providers that keep what they sent: the facts are read back from those bytes.

How a text stands in a provider's bytes is told here a second time, without the library's own parsers, for they are
among what is to be proved.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from ...testing.simulator import Answer, ChatWire, ProviderSimulator, Reply, RequestLog
from ...testing.simulator.wire_anthropic import MessagesWire

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...testing.simulator.steps import Part

__all__ = ["ChatProvider", "MessagesProvider", "Provider", "question_in"]


class Provider(ABC):
    """A simulated provider, and what it was seen to send.

    Args:
        key: The key that it demands.
    """

    path: ClassVar[str]
    """Where its dialect is spoken."""

    def __init__(self, key: str) -> None:
        self._streams: dict[int, list[bytes]] = {}
        self._bodies: dict[int, bytes] = {}
        self._began: dict[int, float] = {}
        self.simulator = self._start(key)

    def play(self, script: Sequence[Reply] | Callable[[RequestLog], Reply]) -> None:
        """Begin anew with this script."""
        for kept in (self._streams, self._bodies, self._began):
            kept.clear()
        self.simulator.reset(script)

    def text_sent(self, request: RequestLog) -> str:
        """The text of the answer to `request`, as far as it went out."""
        if request.number in self._bodies:
            return self.text_of_body(self._bodies[request.number])
        events = self._streams.get(request.number, [])
        return "".join([self.text_of_event(event) for event in events[: request.chunks_sent]])

    def answer_began(self, request: RequestLog) -> float | None:
        """When the answer to `request` began to go out; None for an answer that was none."""
        return self._began.get(request.number)

    def keep_stream(self, request: RequestLog, parts: list[Part]) -> list[Part]:
        """Keep the events of an answer's content."""
        self._began[request.number] = time.monotonic()
        self._streams[request.number] = [part.data for part in parts if part.kind == "content"]
        return parts

    def keep_body(self, request: RequestLog, body: bytes) -> bytes:
        """Keep an answer in one piece."""
        self._began[request.number] = time.monotonic()
        self._bodies[request.number] = body
        return body

    @abstractmethod
    def _start(self, key: str) -> ProviderSimulator: ...

    @staticmethod
    @abstractmethod
    def text_of_event(event: bytes) -> str:
        """The text in one event of a stream."""

    @staticmethod
    @abstractmethod
    def text_of_body(body: bytes) -> str:
        """The text in an answer in one piece."""


class ChatProvider(Provider):
    """One that speaks OpenAI's Chat Completions."""

    path = "/v1/chat/completions"

    def _start(self, key: str) -> ProviderSimulator:
        return ProviderSimulator(dialect=_ChatWitness(self), require_key=key)

    @staticmethod
    def text_of_event(event: bytes) -> str:
        """`data: {choices: [{delta: {content}}]}`."""
        delta = json.loads(event.partition(b"data: ")[2])["choices"][0]["delta"]
        return str(delta.get("content") or "")

    @staticmethod
    def text_of_body(body: bytes) -> str:
        """`{choices: [{message: {content}}]}`."""
        return str(json.loads(body)["choices"][0]["message"]["content"] or "")


class MessagesProvider(Provider):
    """One that speaks Anthropic's Messages."""

    path = "/v1/messages"

    def _start(self, key: str) -> ProviderSimulator:
        return ProviderSimulator(dialect=_MessagesWitness(self), require_key=key)

    @staticmethod
    def text_of_event(event: bytes) -> str:
        """`data: {delta: {type: text_delta, text}}`."""
        delta = json.loads(event.partition(b"data: ")[2]).get("delta", {})
        return str(delta["text"]) if delta.get("type") == "text_delta" else ""

    @staticmethod
    def text_of_body(body: bytes) -> str:
        """`{content: [{type: text, text}]}`."""
        return "".join([block["text"] for block in json.loads(body)["content"] if block["type"] == "text"])


class _ChatWitness(ChatWire):
    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._provider = provider

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        return self._provider.keep_stream(request, super().render_stream(answer, request))

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        return self._provider.keep_body(request, super().render_json(answer, request))


class _MessagesWitness(MessagesWire):
    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._provider = provider

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        return self._provider.keep_stream(request, super().render_stream(answer, request))

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        return self._provider.keep_body(request, super().render_json(answer, request))


def question_in(request: RequestLog) -> str:
    """What the user asked, in either dialect: a text, or blocks with texts."""
    content = request.messages[-1].get("content") if request.messages else None
    if isinstance(content, list):
        return "".join([str(block.get("text") or "") for block in content if isinstance(block, dict)])
    return content if isinstance(content, str) else ""
