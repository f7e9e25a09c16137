"""What the simulator must know of a provider's wire format: one small interface, one file for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from pydantic import JsonValue

from lamellar.errors import ConfigError, ErrorKind
from lamellar.frozen import nearest

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer
    from .steps import Part

__all__ = ["HeartbeatKind", "Problem", "Route", "WireFormat", "kind_of", "wire_format"]

Route: TypeAlias = Literal["chat", "models"]
"""What a path stands for."""

HeartbeatKind: TypeAlias = Literal["comment", "role", "blank"]
"""A sign of life that is no content: an SSE comment, a repeated opening event without content, a blank line."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a provider reports it. What is None is filled in by the wire format, from `kind` or `status`.

    Args:
        kind: What it means, in Lamellar's words.
        status: The HTTP status.
        type: The error's type, in the provider's words.
        code: The error's code, in the provider's words.
        message: The message.
        param: The request's field that is to blame.
    """

    kind: ErrorKind | None = None
    status: int | None = None
    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None


def kind_of(problem: Problem, by_status: Mapping[int, ErrorKind]) -> ErrorKind:
    """What a problem means: what it says itself, or else what its status does.

    Args:
        problem: The problem.
        by_status: The statuses that tell more than whose fault it is.
    """
    if problem.kind is not None:
        return problem.kind
    if problem.status is None:
        return ErrorKind.SERVER_ERROR
    return by_status.get(problem.status, ErrorKind.INVALID_REQUEST if problem.status < 500 else ErrorKind.SERVER_ERROR)


class WireFormat(Protocol):
    """How one kind of provider reads requests and writes answers. All pure functions."""

    @property
    def name(self) -> str:
        """Such as ``chat``."""
        raise NotImplementedError

    @property
    def base_path(self) -> str:
        """The path that clients append theirs to, such as ``/v1``."""
        raise NotImplementedError

    @property
    def stream_type(self) -> str:
        """The content type of a stream."""
        raise NotImplementedError

    def route(self, path: str) -> Route | None:
        """What `path` (without its query) stands for; None is a 404."""
        raise NotImplementedError

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """Whether the request carries this key."""
        raise NotImplementedError

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """What is wrong with a request's body, as lightly as the provider would notice, or None."""
        raise NotImplementedError

    def model_of(self, path: str, body: JsonValue) -> str | None:
        """The model that is asked."""
        raise NotImplementedError

    def wants_stream(self, path: str, body: JsonValue) -> bool:
        """Whether a stream is asked for."""
        raise NotImplementedError

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """The answer as one body."""
        raise NotImplementedError

    def render_stream(self, answer: Answer, request: RequestLog) -> Sequence[Part]:
        """The answer as events, each complete with its framing, the end-of-stream mark included."""
        raise NotImplementedError

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """The status and the body of an error."""
        raise NotImplementedError

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """The error as an event in a stream; `named` gives the event a name, where the format leaves a choice."""
        raise NotImplementedError

    def render_heartbeat(self, kind: HeartbeatKind, request: RequestLog) -> Part:
        """A sign of life that is no content."""
        raise NotImplementedError

    def render_done(self, request: RequestLog) -> Part | None:
        """The end-of-stream mark, or None where the format has none."""
        raise NotImplementedError

    def render_models(self, models: Sequence[str]) -> bytes:
        """The list of models."""
        raise NotImplementedError


def wire_format(dialect: str | WireFormat) -> WireFormat:
    """The wire format of that name, or the one that was given."""
    if not isinstance(dialect, str):
        return dialect
    from .wire_anthropic import MessagesWire
    from .wire_azure import AzureWire
    from .wire_bedrock import ConverseWire
    from .wire_chat import ChatWire
    from .wire_cohere import CohereWire
    from .wire_gemini import GeminiWire
    from .wire_ollama import OllamaWire
    from .wire_responses import ResponsesWire
    from .wire_vertex import ClaudeOnVertexWire, VertexWire

    known: dict[str, Callable[[], WireFormat]] = {
        "chat": ChatWire,
        "anthropic": MessagesWire,
        "gemini": GeminiWire,
        "converse": ConverseWire,
        "responses": ResponsesWire,
        "ollama": OllamaWire,
        "cohere": CohereWire,
        "azure": AzureWire,
        "anthropic_vertex": ClaudeOnVertexWire,
        "vertex": VertexWire,
    }
    if dialect not in known:
        raise ConfigError(f"dialect: unknown wire format {dialect!r}{nearest(dialect, known)}")
    return known[dialect]()
