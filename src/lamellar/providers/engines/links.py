"""What the links of a failure's chain say, in one word each.

The libraries wrap and rename: the same reset is a `ClientOSError` in aiohttp, a `ReadError` in httpx, and in httpx on
the aiohttp transport a `ConnectTimeout`. So the chain is read from its innermost link outwards, and each link by the
names of its classes, most derived first: nothing is imported, and httpx2 needs no line of its own.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Literal

__all__ = ["QUIET", "Phase", "causes", "word_of"]

Phase = Literal["send", "body"]
"""``send`` until the answer's headers are there, then ``body``."""

QUIET = "quiet"
"""The word of a link that says no more than "closed": what that means depends on the phase."""

_BY_NAME: dict[str, str] = {
    # the operating system's
    "ConnectionRefusedError": "refused",
    "ConnectionResetError": "reset",
    "ConnectionAbortedError": "reset",
    "BrokenPipeError": "reset",
    "gaierror": "dns",
    "herror": "dns",
    "SSLWantReadError": "",  # no failure: how a handshake waits, and so the context of its timeout
    "SSLWantWriteError": "",
    "SSLEOFError": "tls_eof",
    "SSLZeroReturnError": "tls_eof",
    "SSLError": "tls",
    "CertificateError": "tls",
    # aiohttp's and aiodns's
    "DNSError": "dns",
    "ClientConnectorDNSError": "dns",
    "ClientConnectorSSLError": "tls",
    "ClientConnectorCertificateError": "tls",
    "ServerFingerprintMismatch": "tls",
    "ClientHttpProxyError": "proxy",
    "ClientProxyConnectionError": "proxy",
    "ConnectionTimeoutError": "connect_timeout",
    "SocketTimeoutError": "timeout",
    "ServerDisconnectedError": QUIET,
    "ClientConnectionResetError": QUIET,
    "ContentLengthError": QUIET,
    "TransferEncodingError": "transfer",
    "ContentEncodingError": "encoding",
    "HttpProcessingError": "protocol",
    "ClientPayloadError": QUIET,
    "ClientConnectorError": "unknown",
    "ClientConnectionError": "unknown",
    "InvalidURL": "url",
    "NonHttpUrlClientError": "url",
    # anyio's, h11's, httpcore's and httpx's, of either generation
    "BrokenResourceError": "reset",
    "EndOfStream": QUIET,
    "PoolTimeout": "pool",
    "ConnectTimeout": "connect_timeout",
    "ReadTimeout": "timeout",
    "WriteTimeout": "timeout",
    "ProxyError": "proxy",
    "ConnectError": "unknown",
    "ReadError": "reset",
    "WriteError": "reset",
    "RemoteProtocolError": "remote",
    "LocalProtocolError": "request",
    "DecodingError": "encoding",
    "UnsupportedProtocol": "url",
    # and zlib's, whose class is called just this
    "error": "encoding",
}
_ERRNOS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
}


def causes(exc: BaseException, ambient: BaseException | None = None) -> Iterator[BaseException]:
    """The links of the chain, innermost first; a group's members count as causes of the group.

    A suppressed context counts: httpcore re-raises `from None`, which cuts the cause that it had set itself.
    """
    seen = {id(ambient)} if ambient is not None else set()

    def walk(link: BaseException | None) -> Iterator[BaseException]:
        if link is None or id(link) in seen:
            return
        seen.add(id(link))
        yield from walk(link.__cause__ or link.__context__)
        if isinstance(link, BaseExceptionGroup):
            for member in link.exceptions:
                yield from walk(member)
        yield link

    yield from walk(exc)


def word_of(link: BaseException, phase: Phase) -> str | None:
    """What one link says, or None if it says nothing."""
    text = str(link)
    for cls in type(link).__mro__:
        word = _BY_NAME.get(cls.__name__)
        if word is None or (cls.__name__ == "error" and cls.__module__ not in ("zlib", "brotli")):
            continue
        if not word:
            return None
        if word == "remote":
            # One class for a close and for nonsense; the close is told in h11's and httpcore's own constant words.
            gone = text.startswith(("peer closed", "peer unexpectedly closed", "Server disconnected"))
            return QUIET if gone else "protocol"
        if word == "transfer":
            return QUIET if "Not enough data" in text else "protocol"
        if word == "tls_eof":
            return "tls" if phase == "send" else QUIET
        if word == "connect_timeout" and _waited_for_slot(link):
            return "pool"
        if word == "unknown" and isinstance(link, OSError) and link.errno in _ERRNOS:
            return _ERRNOS[link.errno]
        return word
    if isinstance(link, OSError):
        if link.errno == errno.ETIMEDOUT:
            return "connect_timeout" if phase == "send" else "reset"
        return _ERRNOS.get(link.errno or 0)
    return None


def _waited_for_slot(link: BaseException) -> bool:
    """Whether aiohttp's connect timeout ran out in its queue for a connection: it raises the same error for both."""
    for cause in causes(link):
        trace = cause.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_name == "_wait_for_available_connection":
                return True
            trace = trace.tb_next
    return False
