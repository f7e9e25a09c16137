"""The dialects that are compared with their recordings: one entry each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.wire import (
    requests_anthropic,
    requests_bedrock,
    requests_chat,
    requests_cohere,
    requests_gemini,
    requests_ollama,
    requests_responses,
    usage_forms,
)

from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatRequest
from lamellar.providers.anthropic_messages import ANTHROPIC_MESSAGES
from lamellar.providers.bedrock_converse import BEDROCK_CONVERSE
from lamellar.providers.chat_completions import CHAT_COMPLETIONS
from lamellar.providers.cohere_chat import COHERE_CHAT
from lamellar.providers.generate_content import GENERATE_CONTENT
from lamellar.providers.ollama_chat import OLLAMA_CHAT
from lamellar.providers.responses import RESPONSES
from lamellar.providers.wire import Dialect, Quirks


@dataclass(frozen=True)
class Case:
    """One dialect and what is independent of our code about it.

    Args:
        recorded: Its name in the recordings.
        dialect: Ours.
        path: The end of its URLs.
        quirks: How the endpoint of a recording differs from the rule.
        translate: From a recorded request to ours.
        meaning: A request's body without what says nothing.
        usage: The normal form of a recorded usage object, as a flat dict without absent fields.
        address: Where the URL names the model: the endpoint, the model, and whether a stream is asked for.
        elsewhere: The ends of URLs of the provider's other endpoints, of which only the answer is compared.
        last: The last answer of a body in which a recorder wrote several streams one after another.
    """

    recorded: str
    dialect: Dialect
    path: str
    quirks: Callable[[dict[str, Any]], Quirks]
    translate: Callable[[dict[str, Any]], tuple[ChatRequest, ChatOptions]]
    meaning: Callable[[dict[str, Any]], Any]
    usage: Callable[[dict[str, Any]], dict[str, int]]
    address: Callable[[str], tuple[str, str, bool]] | None = None
    elsewhere: tuple[str, ...] = ()
    last: Callable[[bytes], bytes] = bytes


CASES = [
    Case(
        "openai-chat",
        CHAT_COMPLETIONS,
        "/chat/completions",
        requests_chat.quirks,
        requests_chat.translate,
        requests_chat.meaning,
        usage_forms.chat,
    ),
    Case(
        "anthropic",
        ANTHROPIC_MESSAGES,
        "/messages",
        requests_anthropic.quirks,
        requests_anthropic.translate,
        requests_anthropic.meaning,
        usage_forms.anthropic,
    ),
    Case(
        "gemini",
        GENERATE_CONTENT,
        "",
        requests_gemini.quirks,
        requests_gemini.translate,
        requests_gemini.meaning,
        usage_forms.gemini,
        requests_gemini.address,
    ),
    Case(
        "bedrock-converse",
        BEDROCK_CONVERSE,
        "",
        requests_bedrock.quirks,
        requests_bedrock.translate,
        requests_bedrock.meaning,
        usage_forms.bedrock,
        requests_bedrock.address,
    ),
    Case(
        "ollama",
        OLLAMA_CHAT,
        "/api/chat",
        requests_ollama.quirks,
        requests_ollama.translate,
        requests_ollama.meaning,
        usage_forms.ollama,
    ),
    Case(
        "cohere-v2",
        COHERE_CHAT,
        "/chat",
        requests_cohere.quirks,
        requests_cohere.translate,
        requests_cohere.meaning,
        usage_forms.cohere,
        elsewhere=("/embed",),
    ),
    Case(
        "openai-responses",
        RESPONSES,
        "/responses",
        requests_responses.quirks,
        requests_responses.translate,
        requests_responses.meaning,
        usage_forms.responses,
        last=requests_responses.last_answer,
    ),
]

NAMESPACES = {"alibaba": "aliyun", "github-copilot": "github"}
"""Providers whose recordings use another name than our namespace."""
