"""The dialect of Anthropic's Messages, which gateways and some other providers speak too."""

from __future__ import annotations

from ..wire import Dialect
from .failures import parse_error
from .listing import ANTHROPIC_MODELS
from .request import build_request
from .response import parse_response
from .stream import MessagesStreamParser

__all__ = ["ANTHROPIC_MESSAGES"]

ANTHROPIC_MESSAGES = Dialect(
    "anthropic", build_request, parse_response, parse_error, MessagesStreamParser, ANTHROPIC_MODELS
)
