"""Claude on Google's Vertex AI: Anthropic's Messages at another address.

See https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai. The model and the method stand in the
URL, the version of the API in the body; everything else is Anthropic's own, betas in `anthropic-beta` included. Errors
are Anthropic's where the model tells them and Google's where the platform does, the latter in a list at times, and
without the framing of an event where they break into a stream.

Anthropic's signatures and blocks mean the same on every platform that serves Claude, so an answer's are marked as
Anthropic's (`Exchange.made_by`), and go back here and there. Left out on purpose: a service tier of ``auto``, which
says what is so anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from pydantic_core import to_json

from ...chat.options import ChatOptions
from ...chat.request import ChatRequest
from ...chat.response import ChatResponse
from ..headers import EVENT_STREAM, JSON, request_headers
from ..refusal import Refusal
from ..sse import SSEDecoder
from ..wire import Dialect, Endpoint, Exchange, StreamParser, WireRequest
from .failures import parse_error
from .request import body_of
from .response import parse_response
from .stream import MessagesStreamParser

__all__ = ["ANTHROPIC_VERTEX", "VERTEX_VERSION"]

VERTEX_VERSION = "vertex-2023-10-16"
"""The version of the API, which stands in the body here."""

_MAKER = "anthropic"
_NO_OPTIONS = ChatOptions()


def _build_request(
    endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
) -> WireRequest:
    """The HTTP request for one call; the base URL ends with the publisher, `/publishers/anthropic`."""
    refuse = Refusal(endpoint, model, maker=_MAKER)
    options = _without_tier(options or _NO_OPTIONS, refuse)
    body = {"anthropic_version": VERTEX_VERSION, **body_of(model, chat_req, options, refuse, stream=stream)}
    body.pop("model", None)
    return WireRequest(
        url=_url(endpoint.base_url, model, refuse, stream=stream),
        headers=request_headers(endpoint, options, accept=EVENT_STREAM if stream else JSON),
        body=to_json(body, inf_nan_mode="constants"),
    )


def _url(base_url: str, model: str, refuse: Refusal, *, stream: bool) -> str:
    """Model and method go before a query in the base URL."""
    if "/" in model or not model.strip(". "):
        raise refuse("model", model, "give the model's name, such as 'claude-sonnet-4-5@20250929'")
    base, mark, query = base_url.partition("?")
    method = "streamRawPredict" if stream else "rawPredict"
    return f"{base.rstrip('/')}/models/{quote(model, safe='@')}:{method}{mark}{query}"


def _without_tier(options: ChatOptions, refuse: Refusal) -> ChatOptions:
    """There are no tiers here."""
    tier = options.service_tier
    if tier is None:
        return options
    if tier != "auto":
        refuse.or_drop("service_tier", tier, "Vertex AI has no tiers for Claude: use 'auto', or leave it unset")
    return options.model_copy(update={"service_tier": None})


def _parse_response(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
    return parse_response(replace(exchange, made_by=_MAKER), status, headers, body)


def _open_stream(exchange: Exchange, headers: Mapping[str, str]) -> StreamParser:
    return MessagesStreamParser(replace(exchange, made_by=_MAKER), headers, SSEDecoder(bare_json=True))


ANTHROPIC_VERTEX = Dialect("anthropic_vertex", _build_request, _parse_response, parse_error, _open_stream)
