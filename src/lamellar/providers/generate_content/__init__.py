"""The dialect of Google's generateContent, which the Gemini API and Vertex AI speak."""

from __future__ import annotations

from collections.abc import Mapping

from ...chat.options import ChatOptions
from ...chat.request import ChatRequest
from ...chat.response import ChatResponse
from ...errors import ExecutorError
from ..error_bodies import parse_error
from ..wire import Dialect, Endpoint, Exchange, StreamParser, WireRequest
from .request import build_request
from .response import parse_response
from .stream import ContentStreamParser

__all__ = ["GENERATE_CONTENT", "GenerateContent"]


class GenerateContent:
    """Google's generateContent, without I/O; what `Dialect` says.

    The model and the method stand in the URL, so one endpoint serves `models/...`, `tunedModels/...`, and, with the
    project's path in its base URL, Vertex AI. The key goes into the header `x-goog-api-key`, never into the URL.
    """

    name = "gemini"

    def build_request(
        self, endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
    ) -> WireRequest:
        """The HTTP request.

        Raises:
            ExecutorError: Kind ``invalid_request``: the dialect cannot say this.
        """
        return build_request(endpoint, model, chat_req, options, stream=stream)

    def parse_response(self, exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        """A whole answer, from a response with a status below 300.

        Raises:
            ExecutorError: The body is an error in-band, is blocked with nothing delivered, or is not what the dialect
                sends.
        """
        return parse_response(exchange, status, headers, body)

    def parse_error(self, exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ExecutorError:
        """The classified error, from a response with a status of 300 or above, or an in-band error's payload."""
        return parse_error(exchange, status, headers, body)

    def open_stream(self, exchange: Exchange, headers: Mapping[str, str]) -> StreamParser:
        """The parser for one stream."""
        return ContentStreamParser(exchange, headers)


GENERATE_CONTENT: Dialect = GenerateContent()
"""The one instance anybody needs: it holds no state."""
