"""Requests, as a dialect makes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lamellar.chat.content import ContentPart
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.errors import ExecutorError
from lamellar.providers.wire import WireRequest

__all__ = ["Asking"]


class Asking:
    """How one dialect makes requests whose body holds the conversation under `messages`.

    Args:
        build: Makes one, of a request, options, and what else it takes by name.
    """

    def __init__(self, build: Callable[..., WireRequest]) -> None:
        self._build = build

    def body(self, *asked: Any, **more: Any) -> dict[str, Any]:
        """The body."""
        made: dict[str, Any] = json.loads(self._build(*asked, **more).body)
        return made

    def refused(self, *asked: Any, **more: Any) -> ExecutorError:
        """The error of a request that cannot be made."""
        with pytest.raises(ExecutorError) as caught:
            self._build(*asked, **more)
        assert caught.value.kind == "invalid_request"
        return caught.value

    def messages(self, *said: ChatMessage, **more: Any) -> list[dict[str, Any]]:
        """The conversation that these messages become."""
        sent: list[dict[str, Any]] = self.body(ChatRequest.from_messages(said), **more)["messages"]
        return sent

    def sent_back(self, parts: tuple[ContentPart, ...], **more: Any) -> dict[str, Any]:
        """What an answer's content becomes as a turn of the conversation."""
        _, turn = self.messages(ChatMessage.user("hi"), ChatMessage.assistant(parts), **more)
        assert turn["role"] == "assistant"
        return turn
