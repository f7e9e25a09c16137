"""The dialect of Cohere's Chat API, version 2 (https://docs.cohere.com/reference/chat).

A stream is server-sent events with a type each. An error in the middle of one is its last event: a finish reason
``ERROR``.
"""

from __future__ import annotations

from ..wire import Dialect
from .failures import parse_error
from .listing import COHERE_MODELS
from .request import build_request
from .response import parse_response
from .stream import CohereStreamParser

__all__ = ["COHERE_CHAT"]

COHERE_CHAT = Dialect("cohere", build_request, parse_response, parse_error, CohereStreamParser, COHERE_MODELS)
