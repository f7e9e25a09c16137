"""The dialect of OpenAI's Chat Completions, which most servers speak in some accent."""

from __future__ import annotations

from ..error_bodies import parse_error
from ..listing import OPENAI_MODELS
from ..wire import Dialect
from .request import build_request
from .response import parse_response
from .stream import ChatStreamParser

__all__ = ["CHAT_COMPLETIONS"]

CHAT_COMPLETIONS = Dialect("chat", build_request, parse_response, parse_error, ChatStreamParser, OPENAI_MODELS)
