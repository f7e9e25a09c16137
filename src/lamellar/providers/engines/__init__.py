"""HTTP engines: what sends the requests. All sockets of Lamellar are opened here.

`make_engine` chooses one; `AiohttpEngine` and `HttpxEngine` obey the same contract (`base.Engine`) and one table test
runs every failure through both. Nothing here imports aiohttp or httpx before an engine is made.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from lamellar.errors import ConfigError

from .aiohttp_engine import AiohttpEngine
from .base import Engine, EngineResponse, NetworkOptions
from .failures import classify_failure
from .httpx_engine import HttpxEngine
from .httpx_insides import retries_by_itself
from .network import ProxyRules

__all__ = [
    "AiohttpEngine",
    "Engine",
    "EngineResponse",
    "HttpxEngine",
    "NetworkOptions",
    "classify_failure",
    "make_engine",
    "retries_by_itself",
]


def make_engine(options: NetworkOptions | None = None, kind: Literal["auto", "aiohttp", "httpx"] = "auto") -> Engine:
    """An engine for `options`.

    Args:
        options: How to reach the network.
        kind: ``aiohttp``, ``httpx``, or ``auto`` (default): aiohttp where it is installed and can do what is asked
            (it knows no SOCKS proxies), else httpx.

    Raises:
        ConfigError: The package is not installed (the message names the extra), or an option cannot be met.
    """
    options = options or NetworkOptions()
    if kind == "auto":
        fit = find_spec("aiohttp") is not None and not ProxyRules(options).uses_socks
        kind = "aiohttp" if fit else "httpx"
    if kind == "aiohttp":
        return AiohttpEngine(options)
    if kind == "httpx":
        return HttpxEngine(options)
    raise ConfigError(f"http engine: expected auto, aiohttp or httpx, got {kind!r}")
