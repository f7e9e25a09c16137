"""The wire formats by name, each imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from .wire import Dialect

__all__ = ["DIALECTS", "dialect_named"]

DIALECTS: dict[str, str] = {
    "chat": "lamellar.providers.chat_completions:CHAT_COMPLETIONS",
    "anthropic": "lamellar.providers.anthropic_messages:ANTHROPIC_MESSAGES",
    "gemini": "lamellar.providers.generate_content:GENERATE_CONTENT",
    "converse": "lamellar.providers.bedrock_converse:BEDROCK_CONVERSE",
    "responses": "lamellar.providers.responses:RESPONSES",
    "ollama": "lamellar.providers.ollama_chat:OLLAMA_CHAT",
    "cohere": "lamellar.providers.cohere_chat:COHERE_CHAT",
    "anthropic_vertex": "lamellar.providers.anthropic_messages.vertex:ANTHROPIC_VERTEX",
    "vertex": "lamellar.providers.vertex_models:VERTEX",
}
"""Where each of them is."""


def dialect_named(name: str, namespace: str) -> Dialect:
    """The wire format that `namespace` speaks.

    Raises:
        ConfigError: It is not built.
    """
    if name not in DIALECTS:
        raise ConfigError(
            f"'{namespace}' speaks the dialect '{name}', which this Lamellar does not; it has {', '.join(DIALECTS)}"
        )
    module, _, attribute = DIALECTS[name].partition(":")
    found: Dialect = getattr(import_module(module), attribute)
    return found
