"""A key that tells a provider which requests are one call tried again."""

from __future__ import annotations

from hashlib import blake2b
from uuid import uuid4

from ..scope import current_scope

__all__ = ["idempotency_key"]


def idempotency_key(body: bytes) -> str:
    """The key of this request: the same for every try of one call with this body, and for nothing else.

    A call that goes on from a partial answer sends another body, and is another request to the provider.
    """
    scope = current_scope()
    call = scope.call_key if scope is not None else uuid4().hex
    return f"lamellar-{blake2b(body, key=call.encode(), digest_size=16).hexdigest()}"
