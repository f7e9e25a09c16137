"""Wire formats whose requests say all in their body, and whose paths end the same for every model."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from .wire import Route

__all__ = ["BodyWire"]


class BodyWire:
    """The part of a `WireFormat` that reads such requests."""

    chat_path = ""
    """How the path of a chat ends, under any prefix."""
    models_path = "/models"
    """How the path of the list of models ends, under any prefix."""

    def route(self, path: str) -> Route | None:
        """By the end of the path."""
        if path.endswith(self.chat_path):
            return "chat"
        return "models" if path.endswith(self.models_path) else None

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """A bearer token."""
        return headers.get("authorization") == f"Bearer {key}"

    def model_of(self, path: str, body: JsonValue) -> str | None:
        """The body's `model`."""
        model = body.get("model") if isinstance(body, dict) else None
        return model if isinstance(model, str) and model else None

    def wants_stream(self, path: str, body: JsonValue) -> bool:
        """The body's `stream`."""
        return isinstance(body, dict) and body.get("stream") is True
