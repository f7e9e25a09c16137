"""What a dialect and the HTTP executor say to each other. No I/O here, nor in any dialect.

A `Dialect` is four pure functions of bytes and types. The HTTP executor sends what `build_request` made, gives a whole
body to `parse_response` or `parse_error`, and feeds a stream's bytes, in whatever pieces they arrive, to the
`StreamParser` that `open_stream` makes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from ..chat.events import Progress, StreamEvent
    from ..chat.options import ChatOptions
    from ..chat.request import ChatRequest
    from ..chat.response import ChatResponse
    from ..chat.usage import Usage
    from ..errors import ExecutorError
    from .listing import ModelListing

__all__ = [
    "BuildRequest",
    "Dialect",
    "Endpoint",
    "Exchange",
    "OpenStream",
    "ParseError",
    "ParseResponse",
    "Quirks",
    "Signer",
    "StreamParser",
    "WireRequest",
]


@dataclass(frozen=True, slots=True)
class Quirks:
    """How one endpoint differs from its dialect's rule. The defaults are the rule.

    Args:
        include_usage: Whether it takes `stream_options.include_usage`.
        max_tokens_field: The body's name for the bound on the answer's tokens; None decides by the model's name.
        seed_field: The body's name for the seed.
        reasoning: How a reasoning effort is asked for: ``effort`` (a `reasoning_effort` word), ``object`` (OpenRouter's
            `reasoning`), ``thinking`` (DeepSeek's and Z.ai's `thinking` switch), ``groq``.
        reasoning_back: The form in which an assistant's earlier reasoning goes back: ``reasoning_content`` (DeepSeek),
            ``reasoning`` (Ollama, OpenRouter), ``thinking`` (Mistral's content part), or None: it stays here, because
            the rule's servers have no place for it.
        signatures: Whether thought signatures go back in `extra_content.google` (Gemini's endpoint for this dialect).
        cache: How a prompt is marked as cacheable: ``retention`` (OpenAI's `prompt_cache_retention`, for 24h),
            ``parts`` (OpenRouter's `cache_control` on a part), or ``none``: the server decides by itself.
        idempotency_header: The header that tells the server which requests are one call tried again, or None where it
            knows of none.
        reasoning_summary: Which summary of its reasoning a model is asked for in Responses (``auto``, ``concise`` or
            ``detailed``), where reasoning is asked for; None asks for none.
        encrypted_reasoning: Whether Responses may ask for reasoning in the encrypted form that goes back.
        documents: How a document is sent: ``file`` (OpenAI's `file` part, which takes data only), ``file_url`` (the
            same part, which takes a URL too: OpenRouter) or ``document_url`` (Mistral's).
        audio: How a sound is sent: ``object`` (OpenAI's data and format) or ``text`` (Mistral's: base64 or a URL).
    """

    include_usage: bool = True
    max_tokens_field: str | None = None
    seed_field: str = "seed"
    reasoning: Literal["effort", "object", "thinking", "groq"] = "effort"
    reasoning_back: Literal["reasoning_content", "reasoning", "thinking"] | None = None
    signatures: bool = False
    cache: Literal["retention", "parts", "none"] = "retention"
    documents: Literal["file", "file_url", "document_url"] = "file"
    audio: Literal["object", "text"] = "object"
    idempotency_header: str | None = None
    reasoning_summary: Literal["auto", "concise", "detailed"] | None = None
    encrypted_reasoning: bool = True


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go.

    Args:
        namespace: The provider's name, such as ``openai``.
        base_url: The URL that the dialect's paths are appended to, without a trailing slash.
        api_key: The key, or None.
        headers: Headers sent with every request.
        quirks: How it differs from the dialect's rule.
        key_header: The lower-case header that carries the key, where it is not the dialect's own; in `authorization`
            it is a bearer token.
        sign: What proves who asks, where a key does not: it adds headers to the finished request.
        lenient: Whether an option that the dialect cannot say is left out, and logged, instead of refused.
    """

    namespace: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    quirks: Quirks = Quirks()
    key_header: str | None = None
    sign: Signer | None = field(default=None, repr=False)
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request."""

    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"


Signer: TypeAlias = Callable[[WireRequest], Awaitable[None]]
"""Adds to a finished request's headers what proves who asks, such as a signature over its body."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a parser must know of the request whose answer it reads.

    Args:
        provider: The provider's namespace.
        model: The model that was asked.
        options: The caller's options, for `capture_raw_body` and `normalize_reasoning_content`.
        wall: The clock's `wall`, for retry hints that are dates; None leaves them to the response's own `date`.
        secrets: What must not appear in an error, such as the key that was sent; gone through whenever one is made.
        made_by: Whose parts an answer's signatures and `Custom` parts are, where that is not the provider: another
            may serve the same model, and takes them back.
    """

    provider: str
    model: str
    options: ChatOptions | None = None
    wall: Callable[[], float] | None = None
    secrets: Iterable[str] = field(default=(), repr=False)
    made_by: str | None = None

    @property
    def maker(self) -> str:
        """Who may take an answer's signatures and `Custom` parts back."""
        return self.made_by or self.provider


class StreamParser(Protocol):
    """Turns a stream's bytes into events; one per stream."""

    error: ExecutorError | None
    """An in-band error or a malformed event: set by `feed`, which returns the events before it first."""

    ended: bool
    """Whether `End` has been returned: the answer is whole, and what may still come is drained."""

    finishing: bool
    """Whether the provider's finish signal was seen: the answer is whole, only its usage may still come."""

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far, in the normal form; None before it has.

        Computed when it is asked for. It stays after `error` was set, and after `End` it is what `End` says.
        """
        ...

    def feed(self, data: bytes) -> list[StreamEvent | Progress]:
        """The events that `data` completes, in order. Empty when it completes none or only heartbeats."""
        ...

    def finish(self) -> list[StreamEvent | Progress]:
        """The bytes are over (or nothing more is waited for).

        The rest of the events, with `End` when the finish signal had come. Without it `error` is set: kind
        ``truncated``.
        """
        ...


class BuildRequest(Protocol):
    """Makes the HTTP request of one call."""

    def __call__(
        self, endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
    ) -> WireRequest:
        """The HTTP request.

        Raises:
            ExecutorError: Kind ``invalid_request``, code ``unsupported``: the dialect cannot say this, or the
                request is empty; the message names the field, what was found, and the mend.
        """
        ...


ParseResponse: TypeAlias = "Callable[[Exchange, int, Mapping[str, str], bytes], ChatResponse]"
"""A whole answer out of the status, the headers and the body; raises `ExecutorError`."""

ParseError: TypeAlias = "Callable[[Exchange, int, Mapping[str, str], bytes], ExecutorError]"
"""An error out of the status, the headers and the body."""

OpenStream: TypeAlias = Callable[[Exchange, Mapping[str, str]], StreamParser]
"""A parser for one stream, of which the headers are known."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One wire format: four pure functions, and two more where it can list models.

    Args:
        name: Such as ``chat`` or ``anthropic``.
        build_request: The HTTP request of one call.
        parse_response: A whole answer, from a response with a status below 300; raises `ExecutorError` where the body
            is an error in-band, or is not what the dialect sends (``malformed``).
        parse_error: The classified error, from a response with a status of 300 or above, or an in-band error's payload.
        open_stream: The parser for one stream.
        models: How the provider's models are listed; None where its API has no such list.
    """

    name: str
    build_request: BuildRequest
    parse_response: ParseResponse
    parse_error: ParseError
    open_stream: OpenStream
    models: ModelListing | None = None
