"""The streamed answer: events out of bytes, in whatever pieces they arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.events import (
    PROGRESS,
    Chunk,
    End,
    ReasoningChunk,
    ThoughtSignatureChunk,
)
from ...chat.response import ChatResponse
from ...chat.usage import Usage
from ...thinking import ThinkSplitter
from ..error_bodies import content_filtered, error_from, malformed
from ..event_stream import STATUS, Events, EventStreamParser
from ..names import name_of
from ..signing import signed
from ..wire import Exchange
from .answer import Answer
from .reading import (
    CHOICE_EXTRAS,
    MESSAGE_EXTRAS,
    TOP_EXTRAS,
    details_reasoning,
    signature_of,
    text_pieces,
    tool_entries,
)
from .response import (
    ANSWER_BLOCKED,
    PROMPT_BLOCKED,
    finish_failure,
    is_error,
    parse_response,
    prompt_was_filtered,
)
from .stop import stop_reason
from .usage import usage_of

__all__ = ["ChatStreamParser"]

_RARE = frozenset((*MESSAGE_EXTRAS, "extra_content", "function_call"))


class ChatStreamParser(EventStreamParser):
    """Reads one stream of chat completion chunks; what `StreamParser` says.

    `End` comes with the payload that completes the answer: the finish reason with or followed by the usage, `[DONE]`,
    or the end of the bytes. Usage that was seen only before the finish reason may be a running count, so it ends
    nothing; `finishing` is set then, and the caller need not wait long.
    """

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        super().__init__(exchange, headers)
        self._answer = Answer()
        options = exchange.options
        self._splitter = ThinkSplitter() if options and options.normalize_reasoning_content else None
        self._keep_raw = bool(options and options.capture_raw_body)
        self._last: Any = None
        self._finish: str | None = None
        self._usage: object = None  # as it was sent; of an answer that was not streamed, in the normal form

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._usage if isinstance(self._usage, Usage) else usage_of(self._usage)

    def _whole(self, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        return parse_response(self._exchange, STATUS, headers, body)

    def _came_whole(self, end: End) -> None:
        self._usage = end.usage

    def _payload(self, name: str | None, payload: object, data: bytes, out: Events) -> None:
        if type(payload) is dict and name != "error":
            self._chunk(payload, out)
        else:
            self._odd(name, data, payload)

    def _odd(self, name: str | None, payload: bytes, chunk: object) -> None:
        """An event that says it is an error, or that is not an object."""
        first = chunk[0] if isinstance(chunk, list) and chunk else None
        if name == "error" or (isinstance(first, dict) and is_error(first)):
            self._fail(error_from(self._exchange, STATUS, self._headers, chunk))
        else:
            self._fail_as_no_object(chunk, payload)

    def _chunk(self, chunk: dict[str, Any], out: Events) -> None:
        choices = chunk.get("choices")
        if ("error" in chunk or not choices) and is_error(chunk):
            self._fail(error_from(self._exchange, STATUS, self._headers, chunk))
            return
        if not self._started and (choices or chunk.get("model") or chunk.get("id")):
            # `Start` waits for a payload that names the model: Azure's first one has empty names.
            self._begin(chunk.get("model"), chunk.get("id"), out)
        if self._keep_raw:
            self._last = chunk
        groq = chunk.get("x_groq")
        usage = chunk.get("usage")
        if groq and isinstance(groq, dict):
            usage = usage or groq.get("usage")
            if groq.get("error"):
                self._fail(error_from(self._exchange, STATUS, self._headers, groq))
                return
        if usage:
            self._usage = usage
        if choices:
            if not isinstance(choices, list):
                self._fail(malformed(self._exchange, STATUS, "`choices` is not a list in an event"))
                return
            for choice in choices:
                if not isinstance(choice, dict):
                    self._fail(malformed(self._exchange, STATUS, "a choice is not an object in an event"))
                    return
                if choice.get("index"):
                    continue  # only the first choice is read
                self._choice(choice, out)
                if self._stopped:
                    return
        elif choices is not None and not self._answer and prompt_was_filtered(chunk):
            self._fail(content_filtered(self._exchange, STATUS, PROMPT_BLOCKED))
            return
        for extra in TOP_EXTRAS:
            if extra in chunk:
                self._answer.extras.replace(extra, chunk[extra])
        if usage and self._finish is not None:
            self._end(out)

    def _choice(self, choice: dict[str, Any], out: Events) -> None:
        if choice.get("error"):
            self._fail(error_from(self._exchange, STATUS, self._headers, choice))
            return
        delta = choice.get("delta") or choice.get("message")
        before = len(out)
        if delta and isinstance(delta, dict):
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            if reasoning and isinstance(reasoning, str):
                self._text(True, reasoning, out)
            elif delta.get("reasoning_details") and (text := details_reasoning(delta["reasoning_details"])):
                self._text(True, text, out)
            content = delta.get("content")
            if content:
                if self._splitter is None and isinstance(content, str):
                    self._answer.text(False, content)
                    out.append(Chunk(content))
                else:
                    self._pieces(content, out)
            if delta.get("tool_calls"):
                self._answer.calls.feed(tool_entries(delta), out)
            for key in delta:
                if key in _RARE and delta[key]:
                    self._rare(key, delta, out)
                    if len(out) == before:
                        out.append(PROGRESS)
        for extra in CHOICE_EXTRAS:
            if choice.get(extra):
                self._answer.extras.add(extra, choice[extra])
        reason = choice.get("finish_reason")
        if reason and self._finish is None:
            raw = name_of(reason)
            if raw is not None:
                failure = finish_failure(self._exchange, STATUS, self._headers, raw)
                if failure is not None:
                    self._fail(failure)
                else:
                    self._finish = raw
                    self.finishing = True

    def _text(self, reasoning: bool, text: str, out: Events) -> None:
        self._answer.text(reasoning, text)
        out.append(ReasoningChunk(text) if reasoning else Chunk(text))

    def _pieces(self, content: object, out: Events) -> None:
        for reasoning, text in text_pieces(content):
            if self._splitter is None or reasoning:
                self._text(reasoning, text, out)
            else:
                for lifted, piece in self._splitter.feed(text):
                    self._text(lifted, piece, out)

    def _rare(self, key: str, delta: dict[str, Any], out: Events) -> None:
        if key == "extra_content":
            signature = signature_of(delta)
            if signature:
                self._answer.sign(signature)
                out.append(ThoughtSignatureChunk(signature))
        elif key == "function_call":
            if not delta.get("tool_calls"):
                self._answer.calls.feed(tool_entries(delta), out)
        else:
            self._answer.extras.add(key, delta[key])

    def _end(self, out: Events) -> None:
        for lifted, piece in self._splitter.finish() if self._splitter else ():
            self._text(lifted, piece, out)
        content = self._answer.content(self._exchange.provider, out)
        reason = stop_reason(self._finish or "", tool_calls=bool(self._answer.calls))
        if reason == "content_filter" and not content:
            self._fail(content_filtered(self._exchange, STATUS, ANSWER_BLOCKED))
            return
        self._finished(reason, signed(content, self._exchange.provider), self._last, out)
