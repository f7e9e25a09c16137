"""Providers: dialects (pure functions), endpoints (data), and the one executor that does HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .anthropic import Anthropic
    from .auto import Auto
    from .gemini import Gemini
    from .http import HttpExecutor
    from .openai import OpenAI

__all__ = ["Anthropic", "Auto", "Gemini", "HttpExecutor", "OpenAI"]

_HOMES = {"Anthropic": "anthropic", "Auto": "auto", "Gemini": "gemini", "HttpExecutor": "http", "OpenAI": "openai"}


def __getattr__(name: str) -> object:
    """Load a provider when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
