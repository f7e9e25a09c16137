"""Errors out of bodies: the many shapes in which servers tell them, with a status and in-band, whatever the dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from ..errors import ErrorKind, ExecutorError
from .classify import clean, provider_error
from .hints import header
from .wire import Exchange

__all__ = ["content_filtered", "error_from", "json_of", "malformed", "not_an_object", "parse_error", "truncated"]

_SHOWN = 300
"""Characters of a body that could not be read which are shown."""


_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,200})", re.IGNORECASE)


class _Said(NamedTuple):
    message: str
    code: str | int | None
    type: str | None
    cause: str | int | None
    status: int | None


def parse_error(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ExecutorError:
    """The classified error of a response with a status of 300 or above, or of an in-band error's payload."""
    if 300 <= status < 400:
        return _build(exchange, status, headers, _Said(_redirect(headers), None, None, None, None), None)
    parsed: object = None
    try:
        parsed = from_json(body.lstrip(b"\xef\xbb\xbf"))
    except ValueError:
        message = _page(body.decode("utf-8", "replace"))
        return _build(exchange, status, headers, _Said(message, None, None, None, None), None)
    return error_from(exchange, status, headers, parsed)


def json_of(exchange: Exchange, status: int, body: bytes) -> JsonValue:
    """What the body of an answer says.

    Raises:
        ExecutorError: It is not JSON, or empty.
    """
    try:
        parsed: JsonValue = from_json(body.lstrip(b"\xef\xbb\xbf \r\n\t"))
    except ValueError:
        what = "the body is not JSON" if body.strip() else "the body is empty"
        raise malformed(exchange, status, what, body) from None
    return parsed


def error_from(exchange: Exchange, status: int, headers: Mapping[str, str], parsed: object) -> ExecutorError:
    """The classified error of a parsed body or payload."""
    return _build(exchange, status, headers, _read(parsed), parsed)


def not_an_object(
    exchange: Exchange, status: int | None, what: str, parsed: object, body: bytes | str = b""
) -> ExecutorError:
    """The error for JSON that is something else than an object.

    Args:
        exchange: What is known of the request.
        status: The response's status.
        what: What it should be, such as ``the body``.
        parsed: What it is.
        body: Its text, of which the first part is shown.
    """
    return malformed(exchange, status, f"{what} is a JSON {type(parsed).__name__}, not an object", body)


def malformed(exchange: Exchange, status: int | None, what: str, body: bytes | str = b"") -> ExecutorError:
    """The error for what could not be read, with the first part of it."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    shown = clean(_page(text), *exchange.secrets)[:_SHOWN]
    return ExecutorError(
        ErrorKind.MALFORMED,
        f"{what}: {shown}" if shown else what,
        provider=exchange.provider,
        model=exchange.model,
        status=status,
    )


def content_filtered(exchange: Exchange, status: int | None, what: str) -> ExecutorError:
    """The error for an answer that was blocked before anything of it was delivered."""
    return ExecutorError(
        ErrorKind.CONTENT_FILTERED,
        what,
        provider=exchange.provider,
        model=exchange.model,
        status=status,
        code="content_filter",
    )


def truncated(exchange: Exchange, status: int, what: str) -> ExecutorError:
    """The error for a stream that ended before the answer did."""
    return ExecutorError(ErrorKind.TRUNCATED, what, provider=exchange.provider, model=exchange.model, status=status)


def _build(exchange: Exchange, status: int, headers: Mapping[str, str], said: _Said, parsed: object) -> ExecutorError:
    return provider_error(
        provider=exchange.provider,
        model=exchange.model,
        status=status,
        headers=headers,
        message=said.message,
        code=said.code,
        type_=said.type,
        cause=None if isinstance(said.code, str) else said.cause,  # a word of its own says enough
        in_band_status=said.status,
        body=parsed,
        wall=exchange.wall() if exchange.wall is not None else None,
        secrets=exchange.secrets,
    )


def _read(parsed: object, depth: int = 0) -> _Said:
    """What an error's body says, in any of the shapes that servers of this dialect use.

    OpenAI nests it in `error`; Mistral, Cerebras and vLLM do not; Hugging Face sends a bare text; Google wraps all of
    it in a list; FastAPI says `detail`. Azure has an inner error with a code that says more, and OpenRouter keeps the
    upstream's own body, as text, in `metadata.raw`.
    """
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    if not isinstance(parsed, dict):
        return _Said(_text(parsed), None, None, None, None)
    error = parsed.get("error")
    if isinstance(error, str) and error:
        return _Said(error, _code(parsed.get("code")), _word(parsed.get("type")), None, _status(parsed))
    inner: dict[str, Any] = error if isinstance(error, dict) else parsed
    message = next((_text(inner[key]) for key in ("message", "detail", "msg", "errors") if inner.get(key)), "")
    code, type_ = _code(inner.get("code")), _word(inner.get("type")) or _word(inner.get("status"))
    cause: str | int | None = None
    azure = inner.get("innererror") or inner.get("inner_error")
    if isinstance(azure, dict):
        cause = _code(azure.get("code"))
    metadata = inner.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if raw and depth == 0:
        upstream = _upstream(raw)
        cause = upstream.code or upstream.type or cause
        message = f"{message}: {upstream.message}" if message else upstream.message
    return _Said(message or _text(inner), code, type_, cause, _status(inner))


def _upstream(raw: object) -> _Said:
    if isinstance(raw, str):
        try:
            return _read(from_json(raw), depth=1)
        except ValueError:
            return _Said(raw, None, None, None, None)
    return _read(raw, depth=1)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value, inf_nan_mode="null").decode()


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _code(value: object) -> str | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) or (isinstance(value, str) and value) else None


def _status(error: dict[str, Any]) -> int | None:
    for key in ("status_code", "statusCode", "status"):
        value = error.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _redirect(headers: Mapping[str, str]) -> str:
    """What a redirect says: only the host it leads to, for the rest of a URL may hold anything."""
    try:
        host = urlsplit(header(headers, "location") or "").netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    return f"redirected to {host or 'another path of the same server'}, and redirects are not followed; mend base_url"


def _page(text: str) -> str:
    """A body that is not JSON, as one line: an HTML page is told by its title."""
    if text.lstrip()[:1] == "<":
        title = _TITLE.search(text[:20000])
        return f"an HTML page{f' titled {title[1].strip()!r}' if title else ''}"
    return " ".join(text[:20000].split())
