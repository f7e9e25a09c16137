"""What is only to be learnt from the insides of a client: private names, looked up and not relied upon.

Where a name is missing the answer is "not known", and nothing breaks.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from lamellar.errors import ConfigError

from .links import causes

if TYPE_CHECKING:
    import httpx
    import httpx2

__all__ = [
    "close_lost",
    "ended_before_call",
    "lost_connections",
    "need_socks",
    "retries_by_itself",
    "wake_aiohttp_reader",
]


def ended_before_call(error: Exception, ambient: BaseException | None) -> bool:
    """Whether the failure is that of a connection which had served a call before and ended before this one.

    That is known only from inside httpcore's connection, which stands in the traceback as the `self` of its frames.
    Its names are private: where they are missing the answer is no.
    """
    chain = list(causes(error, ambient))
    names = {type(link).__name__ for link in chain}
    if "RemoteProtocolError" not in names and "BrokenPipeError" not in names:
        return False
    for link in chain:
        trace = link.__traceback__
        while trace is not None:
            connection = trace.tb_frame.f_locals.get("self")
            state = getattr(connection, "_h11_state", None)
            if state is not None and getattr(connection, "_request_count", 0) > 1:
                at_eof = any(str(each).startswith("Server disconnected") for each in chain)
                return (at_eof or "BrokenPipeError" in names) and not state.trailing_data[0]
            trace = trace.tb_next
    return False


def wake_aiohttp_reader(response: httpx.Response | httpx2.Response) -> None:
    """Wake the reader of a body that aiohttp has given up on (see `aiohttp_client`), for a client on httpx-aiohttp."""
    stream = response.stream
    inner = getattr(getattr(stream, "_stream", stream), "_aiohttp_response", None)
    protocol = getattr(getattr(inner, "connection", None), "protocol", None)
    closed = getattr(protocol, "closed", None)
    if inner is None or not isinstance(closed, asyncio.Future):
        return
    content = inner.content

    def wake(future: asyncio.Future[None]) -> None:
        cause = None if future.cancelled() else future.exception()
        if not content.is_eof() and content.exception() is None:
            content.set_exception(getattr(protocol, "_exception", None) or cause or ConnectionError())

    closed.add_done_callback(wake)


def lost_connections(client: object, response: httpx.Response | httpx2.Response | None = None) -> list[object]:
    """Take out of a client's pools the connections that no request holds and none will ever get.

    httpcore 1.0 leaves them behind, and their places taken, when a call is cancelled between two of its own steps: with
    a small pool a few cancellations are enough to stop every later call. (httpcore2 has mended most of it.)

    Args:
        client: The client.
        response: A response whose reader was cancelled: its request may still hold its connection, though it is over.
    """
    stream = getattr(getattr(getattr(response, "stream", None), "_stream", None), "_httpcore_stream", None)
    ours = getattr(stream, "_pool_request", None) if getattr(stream, "_closed", False) else None
    lost = []
    for transport in _transports(client):
        pool = getattr(transport, "_pool", None)
        connections, requests = getattr(pool, "_connections", None), getattr(pool, "_requests", None)
        if not isinstance(connections, list) or not isinstance(requests, list):
            continue
        if ours is not None and ours in requests:
            requests.remove(ours)
        held = {id(getattr(request, "connection", None)) for request in requests}
        for connection in list(connections):
            if id(connection) not in held and not connection.is_idle() and not connection.is_closed():
                connections.remove(connection)
                lost.append(connection)
    return lost


async def close_lost(client: object, lost: list[object]) -> None:
    """Close them, and give their places to the calls that wait."""
    for connection in lost:
        with suppress(Exception):
            await connection.aclose()  # type: ignore[attr-defined]
    for transport in _transports(client):
        pool = getattr(transport, "_pool", None)
        assign, close = (
            getattr(pool, "_assign_requests_to_connections", None),
            getattr(pool, "_close_connections", None),
        )
        if assign is not None and close is not None:
            await close(assign())


def _transports(client: object) -> list[object]:
    mounts = getattr(client, "_mounts", None)
    return [getattr(client, "_transport", None), *(mounts.values() if isinstance(mounts, dict) else ())]


def need_socks() -> None:
    """Raise a `ConfigError` if httpx could not use a SOCKS proxy."""
    try:
        import socksio  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise ConfigError("a SOCKS proxy needs the package socksio: pip install 'httpx[socks]'") from error
    del socksio


def retries_by_itself(client: object) -> str | None:
    """What in an injected client repeats requests by itself, for a warning; None if nothing is seen to.

    Attempts that it makes are seen by no layer: they multiply with `Retry`, and no record shows them.

    Args:
        client: The client. Its own transport and those of its mounts are looked at.
    """
    for part in (client, *_transports(client)):
        for cls in type(part).__mro__:
            if "retry" in cls.__name__.lower() or "retries" in cls.__name__.lower():
                return cls.__name__
        retries = getattr(getattr(part, "_pool", None), "_retries", 0)
        if isinstance(retries, int) and retries > 0:
            return f"{type(part).__name__}(retries={retries})"
    return None
