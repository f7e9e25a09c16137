"""What a transport failure was, told from its chain of causes.

Every connection failure is kind ``connection``; its `code` says more: ``refused``, ``reset``, ``unreachable``, ``dns``,
``tls``, ``connect_timeout``, ``proxy``, ``disconnected`` (closed before an answer), ``eof`` (closed in the middle of a
body), ``protocol`` (not HTTP), ``descriptors`` (this process has none left), ``unknown``. A `TimeoutError` alone says
nothing (the libraries raise it inside for their own ends), so kind ``timeout`` needs a link that is a read or write
timeout by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from lamellar.errors import ErrorKind, ExecutorError, RejectedError
from lamellar.secrets import scrub

from .links import QUIET, Phase, causes, word_of

__all__ = ["classify_failure", "failure_of"]

_TEXTS = {
    "connect_timeout": "no connection to {where} within the connect timeout",
    "refused": "{where} refused the connection",
    "reset": "{where} reset the connection",
    "unreachable": "{where} cannot be reached",
    "dns": "the name of {where} cannot be resolved",
    "tls": "no TLS connection to {where}",
    "proxy": "the proxy would not connect to {where}",
    "disconnected": "{where} closed the connection without an answer",
    "eof": "{where} closed the connection in the middle of its answer",
    "protocol": "{where} does not answer in valid HTTP",
    "descriptors": "this process has no file descriptor left for a connection to {where}",
    "unknown": "the connection to {where} failed",
}


def classify_failure(
    exc: BaseException,
    *,
    phase: Phase,
    where: str = "the server",
    secrets: tuple[str, ...] = (),
    ambient: BaseException | None = None,
) -> ExecutorError | RejectedError:
    """The error that the layers see for a failure of the transport.

    Args:
        exc: What the HTTP library raised.
        phase: How far the call had come.
        where: Host and port, as the message names them.
        secrets: Texts that the message must not hold.
        ambient: The exception that was being handled when the call began (a fallback calls its next target while it
            handles the failure of the last); Python makes it the context of whatever is raised then.
    """
    chain = list(causes(exc, ambient))
    for link in chain:
        if isinstance(link, ExecutorError | RejectedError):  # a transport of the user's own that knows our errors
            return link
        if type(link).__name__ == "ClientPayloadError" and "ConnectionResetError" in str(link):
            return _error("reset", link, phase=phase, where=where, secrets=secrets)  # told in the text alone
    refused = "request" if phase == "send" and any(isinstance(link, ValueError) for link in chain) else "unknown"
    found = next(((word, link) for link in chain if (word := word_of(link, phase))), (refused, exc))
    return _error(*found, phase=phase, where=where, secrets=secrets)


def failure_of(
    exc: BaseException,
    *,
    phase: Phase,
    url: str,
    headers: Mapping[str, str],
    proxy: str | None = None,
    origin: BaseException | None = None,
    ambient: BaseException | None = None,
) -> ExecutorError | RejectedError:
    """What `classify_failure` makes of `exc`, with `exc` as its cause if its text holds no secret.

    Args:
        exc: What the HTTP library raised.
        phase: How far the call had come.
        url: The request's URL.
        headers: The request's headers.
        proxy: The proxy's URL, if one was used.
        origin: Why the connection ended, where that is known better than `exc` says it.
        ambient: See `classify_failure`.
    """
    secrets = secrets_of(url, headers)
    where = where_of(url) + (f" (through the proxy {where_of(proxy)})" if proxy else "")
    error = classify_failure(origin or exc, phase=phase, where=where, secrets=secrets, ambient=ambient)
    if error is not exc:
        quoting = isinstance(error, ExecutorError) and error.kind is ErrorKind.INVALID_REQUEST
        error.__cause__ = None if quoting else safe_cause(exc, secrets)
    return error


def where_of(url: str) -> str:
    """The host and port of `url`: all that a message may tell of it."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
        return f"{parts.hostname}:{port}" if parts.hostname else "the server"
    except ValueError:
        return "the server"


def secrets_of(url: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """What of a request must never be shown: its URL's query and user, and the values of its headers."""
    try:
        parts = urlsplit(url)
        shown = [parts.query, parts.password or ""]
    except ValueError:
        shown = [url]
    values = (value.strip() for name, value in headers.items() if name.lower() not in _PLAIN_HEADERS)
    return tuple(text for text in (*shown, *values) if len(text) >= 4)


_PLAIN_HEADERS = frozenset({"accept", "accept-encoding", "content-type", "content-length", "host", "user-agent"})


def safe_cause(exc: BaseException, secrets: tuple[str, ...]) -> BaseException | None:
    """`exc`, or the outermost of its causes whose chain shows no secret when a traceback is printed; None if none.

    aiohttp writes whole URLs into its messages, h11 the value of a header it refuses.
    """
    clean: BaseException | None = None
    for link in causes(exc):
        shown = f"{link!s} {link!r}"
        if any(secret in shown for secret in secrets) or scrub(shown) != shown:
            return clean
        clean = link
    return clean


def _error(
    word: str, link: BaseException, *, phase: Phase, where: str, secrets: tuple[str, ...]
) -> ExecutorError | RejectedError:
    if word == "pool":
        return RejectedError(
            ErrorKind.POOL_EXHAUSTED,
            f"no connection to {where} became free within the connect timeout; raise max_connections, or call less",
        )
    if word == "timeout":
        return ExecutorError(ErrorKind.TIMEOUT, f"{where} sent nothing for too long", code="socket_timeout")
    if word == "encoding":
        return ExecutorError(
            ErrorKind.MALFORMED, f"the answer of {where} is not what its content-encoding says", code="encoding"
        )
    if word in ("url", "request"):
        # The library's own words quote the URL, or the header with its key.
        what = (
            f"the URL for {where} is none that can be called; check base_url"
            if word == "url"
            else f"a header or the URL of the request to {where} holds what HTTP does not allow; "
            "a line break at the end of a key is the usual reason"
        )
        return ExecutorError(ErrorKind.INVALID_REQUEST, what, code=f"invalid_{word}")
    if word == QUIET:
        word = "disconnected" if phase == "send" else "eof"
    detail = scrub(_detail(word, link), *secrets)
    return ExecutorError(
        ErrorKind.CONNECTION,
        _TEXTS[word].format(where=where) + (f": {detail}" if detail else ""),
        code=word,
        counts_against_health=False if word == "descriptors" else None,
    )


def _detail(word: str, link: BaseException) -> str:
    """What the message adds: only words that are known to hold no URL."""
    if word == "tls":
        reason = (
            getattr(link, "verify_message", None) or getattr(link, "reason", None) or getattr(link, "strerror", None)
        )
        return str(reason or "")
    if word == "proxy":
        status = str(getattr(link, "status", None) or link)[:3]
        return f"it answered {status}" if status.isdigit() else ""
    if word == "protocol":
        return " ".join(str(getattr(link, "message", None) or link).split())[:120]
    if word in ("dns", "unreachable"):
        return str(getattr(link, "strerror", None) or "")
    if word == "unknown":
        return type(link).__name__
    return ""
