"""Signature Version 4: proves who sends a request without sending the key.

A pure function of the request, the credentials and the time, as AWS specifies it
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). Signed are the method, the
path, the query, the body, and those headers that nobody on the way has reason to change: the host, the content type and
AWS's own.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from ...masking import MASK
from ..wire import WireRequest

__all__ = ["AwsCredentials", "signature_headers"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": 80, "https": 443}


class AwsCredentials(NamedTuple):
    """Who asks.

    Args:
        access_key_id: The id of the key, which is sent.
        secret_access_key: The key, which is not.
        session_token: The token that temporary credentials come with.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"AwsCredentials({MASK!r})"


def signature_headers(
    request: WireRequest, credentials: AwsCredentials, *, region: str, service: str, wall: float
) -> dict[str, str]:
    """The headers that sign a request, to be added to it.

    Args:
        request: The finished request; nothing of it that is signed may change afterwards.
        credentials: Who asks.
        region: The region, such as ``us-east-1``.
        service: The name under which AWS knows the service, such as ``bedrock``.
        wall: The time in seconds since the epoch; AWS refuses what is more than five minutes off.
    """
    moment = datetime.fromtimestamp(wall, UTC)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    added = {"x-amz-date": stamp}
    if credentials.session_token is not None:
        added["x-amz-security-token"] = credentials.session_token
    url = urlsplit(request.url)
    named = {"host": _host(url), **request.headers, **added}
    signed = {name: value for name, value in sorted(named.items()) if _is_signed(name)}
    names = ";".join(signed)
    canonical = "\n".join(
        (
            request.method,
            quote(url.path or "/", safe="/~"),  # encoded once more than it is sent
            "&".join(sorted(_pairs(url.query))),
            *[f"{name}:{' '.join(value.split())}" for name, value in signed.items()],
            "",
            names,
            sha256(request.body).hexdigest(),
        )
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = "\n".join((_ALGORITHM, stamp, scope, sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = _mac(key, part)
    proof = _mac(key, to_sign).hex()
    credential = f"{credentials.access_key_id}/{scope}"
    return {**added, "authorization": f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={proof}"}


def _is_signed(name: str) -> bool:
    return name in ("host", "content-type") or name.startswith("x-amz")


def _host(url: SplitResult) -> str:
    """The host as clients send it: with the port where that is not the scheme's own."""
    host = f"[{url.hostname}]" if url.hostname and ":" in url.hostname else url.hostname or ""
    return host if url.port in (None, _PORTS.get(url.scheme)) else f"{host}:{url.port}"


def _pairs(query: str) -> list[str]:
    return [pair if "=" in pair else f"{pair}=" for pair in query.split("&") if pair]


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), sha256).digest()
