"""Providers: dialects (pure functions), endpoints (data), and the one executor that does HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .abilities import Abilities
    from .anthropic import Anthropic
    from .auth import Auth, ModelName, ServiceTarget
    from .auto import Auto
    from .azure import AzureOpenAI
    from .bedrock import Bedrock
    from .cohere import Cohere
    from .gemini import Gemini
    from .http import HttpExecutor
    from .listing import ListedModel
    from .ollama import Ollama
    from .openai import OpenAI
    from .openai_responses import OpenAIResponses
    from .provider import Provider
    from .vertex import Vertex

__all__ = [
    "Abilities",
    "Anthropic",
    "Auth",
    "Auto",
    "AzureOpenAI",
    "Bedrock",
    "Cohere",
    "Gemini",
    "HttpExecutor",
    "ListedModel",
    "ModelName",
    "Ollama",
    "OpenAI",
    "OpenAIResponses",
    "Provider",
    "ServiceTarget",
    "Vertex",
]

_HOMES = {
    "Abilities": "abilities",
    "Anthropic": "anthropic",
    "Auth": "auth",
    "Auto": "auto",
    "AzureOpenAI": "azure",
    "Bedrock": "bedrock",
    "Cohere": "cohere",
    "Gemini": "gemini",
    "HttpExecutor": "http",
    "ListedModel": "listing",
    "ModelName": "auth",
    "Ollama": "ollama",
    "OpenAI": "openai",
    "OpenAIResponses": "openai_responses",
    "Provider": "provider",
    "ServiceTarget": "auth",
    "Vertex": "vertex",
}


def __getattr__(name: str) -> object:
    """Load a provider when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
