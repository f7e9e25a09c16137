"""The dialect of Ollama's own chat API (https://docs.ollama.com/api/chat): a server of one's own, or Ollama's cloud.

Answers stream as lines of JSON, and arguments of calls are objects, not text. Ollama speaks Chat Completions too; this
form says more: whether the model thinks, the options of the runner, and how long the model stays in memory.
"""

from __future__ import annotations

from ..wire import Dialect
from .failures import parse_error
from .listing import OLLAMA_MODELS
from .request import build_request
from .response import parse_response
from .stream import OllamaStreamParser

__all__ = ["OLLAMA_CHAT"]

OLLAMA_CHAT = Dialect("ollama", build_request, parse_response, parse_error, OllamaStreamParser, OLLAMA_MODELS)
