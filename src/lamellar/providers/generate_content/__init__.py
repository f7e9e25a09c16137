"""The dialect of Google's generateContent, which the Gemini API and Vertex AI speak.

The model and the method stand in the URL, so one endpoint serves `models/...`, `tunedModels/...`, and, with the
project's path in its base URL, Vertex AI. The key goes into the header `x-goog-api-key`, never into the URL.
"""

from __future__ import annotations

from ..error_bodies import parse_error
from ..wire import Dialect
from .listing import GEMINI_MODELS
from .request import build_request
from .response import parse_response
from .stream import ContentStreamParser

__all__ = ["GENERATE_CONTENT"]

GENERATE_CONTENT = Dialect("gemini", build_request, parse_response, parse_error, ContentStreamParser, GEMINI_MODELS)
