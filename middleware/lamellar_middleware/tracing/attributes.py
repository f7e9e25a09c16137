"""What is recorded of a request, an answer and a failure. Nothing here holds content: no text, no key, no URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lamellar.call import Outcome
from lamellar.chat.events import Start
from lamellar.errors import StreamClosedError
from lamellar.executor import walk

from .names import ERROR_TYPE, FINISH_REASONS, OPERATION, PROVIDERS, SERVER_ADDRESS, SERVER_PORT, Generation

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from lamellar.chat.events import End
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.response import ChatResponse
    from lamellar.chat.usage import Usage
    from lamellar.executor import LlmExecutor
    from lamellar.stream import LlmEventStream

    Attributes = dict[str, AttributeValue]

__all__ = [
    "ABNORMAL",
    "Ending",
    "Place",
    "Tokens",
    "error_type",
    "finish_reasons",
    "first_place",
    "identity_attributes",
    "outcome_of",
    "provider_name",
    "request_attributes",
    "start_of",
]

ABNORMAL = "error"
"""The finish reason of an answer that ended without one of its own."""


class Place(NamedTuple):
    """Who answers, and where.

    Args:
        provider: The provider, as the conventions call it; None where it is not known.
        host: The server's name or address.
        port: The server's port.
    """

    provider: str | None
    host: str | None = None
    port: int | None = None

    @classmethod
    def of(cls, leaf: LlmExecutor) -> Place:
        """The place of a leaf: one that speaks HTTP has a `server` with a host and a port."""
        server = getattr(leaf, "server", None)
        host, port = getattr(server, "host", None), getattr(server, "port", None)
        if not isinstance(host, str) or not isinstance(port, int):
            host = port = None
        return cls(provider_name(leaf.name), host, port)


def provider_name(namespace: str) -> str:
    """What the conventions call the provider of a namespace."""
    return PROVIDERS.get(namespace, namespace)


def first_place(executor: LlmExecutor) -> Place:
    """The place of the first leaf of a tree: the best guess at the start of a call."""
    for each in walk(executor):
        children = getattr(each, "children", None)
        if children is None or not children():
            return Place.of(each)
    return Place(provider_name(executor.name))


def identity_attributes(names: Generation, model: str, place: Place) -> Attributes:
    """What names an inference: for samplers at its start, and for its metrics."""
    found: Attributes = {names.operation_name: OPERATION, names.request_model: model}
    if place.provider is not None:
        found[names.provider_name] = place.provider
    if place.host is not None and place.port is not None:
        found[SERVER_ADDRESS] = place.host
        found[SERVER_PORT] = place.port
    return found


def request_attributes(names: Generation, options: ChatOptions | None, *, streaming: bool) -> Attributes:
    """How the caller wants it answered, as far as it was said."""
    found: Attributes = {}
    if streaming:
        found[names.request_stream] = True
    if options is None:
        return found
    for name, number in (
        (names.request_temperature, options.temperature),
        (names.request_top_p, options.top_p),
        (names.request_frequency_penalty, options.frequency_penalty),
        (names.request_presence_penalty, options.presence_penalty),
    ):
        if number is not None:
            found[name] = float(number)
    if options.max_tokens is not None:
        found[names.request_max_tokens] = options.max_tokens
    if options.seed is not None:
        found[names.request_seed] = options.seed
    if options.stop_sequences is not None:
        found[names.request_stop_sequences] = options.stop_sequences
    choices = (options.extra_body or {}).get("n")
    if isinstance(choices, int) and choices != 1:
        found[names.request_choice_count] = choices
    if options.response_format is not None:
        found[names.output_type] = "json"
    if options.call is not None and options.call.conversation_id is not None:
        found[names.conversation_id] = options.call.conversation_id
    return found


class Tokens:
    """Tokens of several answers; what no provider has told is None."""

    __slots__ = ("cache_creation", "cache_read", "input", "output", "reasoning")

    def __init__(self) -> None:
        self.input: int | None = None
        self.output: int | None = None
        self.cache_read: int | None = None
        self.cache_creation: int | None = None
        self.reasoning: int | None = None

    def add(self, usage: Usage | None) -> None:
        """Count one answer."""
        if usage is None:
            return
        prompt, completion = usage.prompt_details, usage.completion_details
        self.input = _sum(self.input, usage.prompt_tokens)
        self.output = _sum(self.output, usage.completion_tokens)
        if prompt is not None:
            self.cache_read = _sum(self.cache_read, prompt.cached_tokens)
            self.cache_creation = _sum(self.cache_creation, prompt.cache_creation_tokens)
        if completion is not None:
            self.reasoning = _sum(self.reasoning, completion.reasoning_tokens)

    def merge(self, other: Tokens) -> None:
        """Count what another has counted."""
        for name in self.__slots__:
            setattr(self, name, _sum(getattr(self, name), getattr(other, name)))

    def attributes(self, names: Generation) -> Attributes:
        """What is known."""
        told = {
            names.usage_input: self.input,
            names.usage_output: self.output,
            names.usage_cache_read: self.cache_read,
            names.usage_cache_creation: self.cache_creation,
            names.usage_reasoning: self.reasoning,
        }
        return {name: count for name, count in told.items() if count is not None}


def _sum(so_far: int | None, more: int | None) -> int | None:
    return so_far if more is None else more + (so_far or 0)


class Ending(NamedTuple):
    """How an inference ended.

    Args:
        outcome: One of the outcomes of a call, an attempt or a stream.
        error: The low-cardinality kind of its failure, the same on span and metric; None for what is no failure.
        answer: The whole answer, or the `End` of a whole stream.
        start: The `Start` of a stream that was committed.
        place: Who answered, or was asked last.
        first_chunk: Seconds until the first content of a stream.
    """

    outcome: Outcome
    error: str | None
    answer: ChatResponse | End | None
    start: Start | None
    place: Place
    first_chunk: float | None = None

    @property
    def response_model(self) -> str | None:
        """The model that answered, by the provider's own word where there is one."""
        found = [getattr(each, "provider_model", None) for each in (self.answer, self.start)]
        found += [getattr(each, "model", None) for each in (self.answer, self.start)]
        return next(filter(None, found), None)

    def attributes(self, names: Generation) -> Attributes:
        """What is recorded of it."""
        found: Attributes = {}
        for each in (self.start, self.answer):
            if each is not None and each.response_id:
                found[names.response_id] = each.response_id
        if (model := self.response_model) is not None:
            found[names.response_model] = model
        reasons = finish_reasons(self.outcome, self.answer)
        if reasons is not None:
            found[names.response_finish_reasons] = reasons
        if self.first_chunk is not None:
            found[names.response_time_to_first_chunk] = self.first_chunk
        if self.error is not None:
            found[ERROR_TYPE] = self.error
        return found


def finish_reasons(outcome: Outcome, answer: ChatResponse | End | None) -> list[str] | None:
    """Why the model stopped, one reason an answer; None where the provider did not say."""
    if outcome is not Outcome.COMPLETED or answer is None:
        return [ABNORMAL]
    return None if answer.stop_reason is None else [FINISH_REASONS[str(answer.stop_reason)]]


def outcome_of(error: BaseException) -> Outcome:
    """How a call ended that raised `error`."""
    if isinstance(error, StreamClosedError):
        return Outcome.ABANDONED
    return Outcome.FAILED if isinstance(error, Exception) else Outcome.CANCELLED


def error_type(outcome: Outcome, error: BaseException | None) -> str | None:
    """The kind of a failure: ours where it has one, else the name of its class; None for what is no failure."""
    if outcome is Outcome.CANCELLED:
        return str(outcome)
    if outcome in (Outcome.COMPLETED, Outcome.ABANDONED) or error is None:
        return None
    kind = getattr(error, "kind", None)
    return str(kind) if kind is not None else type(error).__name__


def start_of(stream: LlmEventStream) -> Start | None:
    """The `Start` of a stream that is ready and has not been read."""
    return next((event for event in stream.peek() if isinstance(event, Start)), None)
