"""The dialect of OpenAI's Responses, which several other servers speak too."""

from __future__ import annotations

from ..error_bodies import parse_error
from ..listing import OPENAI_MODELS
from ..wire import Dialect
from .request import build_request
from .response import parse_response
from .stream import ResponsesStreamParser

__all__ = ["RESPONSES"]

RESPONSES = Dialect("responses", build_request, parse_response, parse_error, ResponsesStreamParser, OPENAI_MODELS)
