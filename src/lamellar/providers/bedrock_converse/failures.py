"""Errors of this dialect: AWS's exceptions, with a status, as frames of a stream, or in a body under HTTP 200.

The name of the exception stands in the header `x-amzn-errortype`, in the body's `__type`, or in a frame's headers; a
namespace before it and a URL after it belong to AWS's own house. See
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html (Errors) and
https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic_core import from_json

from ...errors import ErrorKind, ExecutorError
from ...masking import MASK
from ..classify import provider_error
from ..error_bodies import content_filtered, error_from, malformed
from ..error_bodies import parse_error as parse_any
from ..hints import header
from ..wire import Exchange

__all__ = ["blocked", "broken", "error_in_band", "is_error", "parse_error"]

_STATUS = {
    "accessdeniedexception": 403,
    "internalserverexception": 500,
    "modelerrorexception": 424,
    "modelnotreadyexception": 429,
    "modelstreamerrorexception": 424,
    "modeltimeoutexception": 408,
    "resourcenotfoundexception": 404,
    "serviceunavailableexception": 503,
    "throttlingexception": 429,
    "validationexception": 400,
}
"""The status that each exception has where it is no frame."""

_MODEL_FAILED = 424
"""The model's own container failed, not the request: it tells its own status as `originalStatusCode`."""

_OF_THE_MODEL = {429: ErrorKind.RATE_LIMITED, 503: ErrorKind.OVERLOADED, 504: ErrorKind.TIMEOUT}

_NO_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput isn.t supported|model version has reached the end of its life",
    re.IGNORECASE,
)
"""A model that is not to be had under this name or in this region, which AWS tells as a ValidationException."""

_PER_DAY = re.compile(r"too many tokens per day|daily (?:token )?(?:limit|quota)", re.IGNORECASE)
"""A throttling that no wait of seconds mends."""

_SIGNED_TOKEN = re.compile(r"(x-amz-security-token\s*[:=]\s*)\S+", re.IGNORECASE)
"""A wrong signature is told together with everything that was signed, the session's token included."""


def parse_error(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ExecutorError:
    """The classified error of a response with a status of 300 or above."""
    try:
        parsed: object = from_json(body.lstrip(b"\xef\xbb\xbf"))
    except ValueError:
        parsed = None
    name = _plain(header(headers, "x-amzn-errortype"))
    told: dict[str, object] = parsed if isinstance(parsed, dict) else {}
    if not told and name is not None:
        told = {"message": body.decode("utf-8", "replace")}
    name = name or _named(told)
    if name is None and not told.keys() & {"message", "Message"}:
        return parse_any(exchange, status, headers, body)  # a gateway's own form
    return _error(exchange, status, headers, name, told, status)


def error_in_band(
    exchange: Exchange, status: int, headers: Mapping[str, str], name: str | None, parsed: object
) -> ExecutorError:
    """The classified error of a frame or a body under a status below 300.

    Args:
        exchange: What is known of the request.
        status: The response's status.
        headers: The response's headers; what they say about trying again is about the answer, not the error.
        name: The exception, where it is not told in the body.
        parsed: The body.
    """
    kept = {key: value for key, value in headers.items() if "requestid" in key.lower() or "request-id" in key.lower()}
    name = _plain(name) or _named(parsed)
    if not isinstance(parsed, dict) or (name is None and isinstance(parsed.get("error"), dict)):
        return error_from(exchange, status, kept, parsed)
    return _error(exchange, status, kept, name, parsed, _STATUS.get(name.lower()) if name else None)


def is_error(payload: Mapping[str, object]) -> bool:
    """Whether a body under a status below 300 is an error."""
    return "output" not in payload and any(key in payload for key in ("__type", "message", "Message", "error"))


def blocked(exchange: Exchange, status: int, reason: str) -> ExecutorError:
    """The error for an answer of which a filter or a guardrail left nothing."""
    error = content_filtered(exchange, status, f"nothing of the answer was delivered: {reason}")
    error.code = reason
    return error


def broken(exchange: Exchange, status: int, reason: str) -> ExecutorError:
    """The error for an answer that the model wrote so that Bedrock could not read it."""
    error = malformed(exchange, status, f"the model's answer could not be read: {reason}")
    error.code = reason
    return error


def _error(
    exchange: Exchange,
    status: int,
    headers: Mapping[str, str],
    name: str | None,
    parsed: dict[str, object],
    told: int | None,
) -> ExecutorError:
    """The error of an exception.

    Args:
        exchange: What is known of the request.
        status: The response's status.
        headers: The response's headers.
        name: The exception.
        parsed: The body.
        told: The status that the exception has by itself.
    """
    message = _SIGNED_TOKEN.sub(rf"\g<1>{MASK}", _message(parsed))
    return provider_error(
        provider=exchange.provider,
        model=exchange.model,
        status=status,
        headers=headers,
        message=message,
        code=name,
        kind=_kind(told, message, parsed),
        in_band_status=told,
        body=parsed,
        wall=exchange.wall() if exchange.wall is not None else None,
        secrets=exchange.secrets,
    )


def _kind(told: int | None, message: str, parsed: dict[str, object]) -> ErrorKind | None:
    """The kind, where the table for all providers does not know it."""
    if told == _MODEL_FAILED:
        original = parsed.get("originalStatusCode")
        return (
            _OF_THE_MODEL.get(original, ErrorKind.SERVER_ERROR)
            if isinstance(original, int)
            else (ErrorKind.SERVER_ERROR)
        )
    if told in (400, 404) and _NO_MODEL.search(message):
        return ErrorKind.MODEL_NOT_FOUND
    if told == 429 and _PER_DAY.search(message):
        return ErrorKind.QUOTA_EXHAUSTED
    return None


def _message(parsed: dict[str, object]) -> str:
    found = [parsed.get(key) for key in ("message", "Message", "originalMessage", "errorMessage")]
    texts = [text for text in found if isinstance(text, str) and text]
    return ": ".join(dict.fromkeys(texts))


def _named(parsed: object) -> str | None:
    """The exception that a body names; `code` is another spelling of it."""
    if not isinstance(parsed, dict):
        return None
    found = parsed.get("__type") or parsed.get("code")
    return _plain(found) if isinstance(found, str) else None


def _plain(name: str | None) -> str | None:
    """``aws.protocoltests#FooError:http://internal.amazon.com/`` is FooError, and so is a frame's ``fooError``."""
    plain = (name or "").partition(":")[0].rpartition("#")[2].strip()[:100]
    return plain[:1].upper() + plain[1:] or None
