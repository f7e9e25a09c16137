"""Ollama's own API, on one's own machine or in its cloud."""

from __future__ import annotations

from typing import ClassVar

from .spec import HttpProvider

__all__ = ["Ollama"]


class Ollama(HttpProvider):
    """Ollama's own chat API (https://docs.ollama.com/api/chat).

    `Ollama()` is the server on this machine, or the one that `OLLAMA_BASE_URL` names. It needs no key; with one, as in
    `Ollama(base_url="https://ollama.com", api_key={"env": "OLLAMA_API_KEY"})`, it is Ollama's cloud, or a server behind
    a gateway. What has no option of ours, such as `keep_alive` and `options.num_ctx`, goes into a call's (or a
    Target's) `extra_body`.

    Args:
        base_url: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "ollama"
    namespace: ClassVar[str] = "ollama"
