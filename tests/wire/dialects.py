"""The dialects that are compared with their recordings: one entry each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.wire import requests_chat, usage_forms

from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatRequest
from lamellar.providers.chat_completions import CHAT_COMPLETIONS
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
    """

    recorded: str
    dialect: Dialect
    path: str
    quirks: Callable[[dict[str, Any]], Quirks]
    translate: Callable[[dict[str, Any]], tuple[ChatRequest, ChatOptions]]
    meaning: Callable[[dict[str, Any]], Any]
    usage: Callable[[dict[str, Any]], dict[str, int]]


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
]

NAMESPACES = {"alibaba": "aliyun", "github-copilot": "github"}
"""Providers whose recordings use another name than our namespace."""
