"""What the tests of the layer share."""

from __future__ import annotations

import asyncio

from lamellar import CallContext, ChatOptions, ChatRequest, ExecutorError, RejectedError, Usage
from lamellar.middleware import RateLimiter
from lamellar_middleware.rate_limit import RateLimitExecutor

REQUEST = ChatRequest.from_user("hi")
USAGE = Usage(prompt_tokens=30, completion_tokens=12, total_tokens=42)


def limiter_of(executor: object) -> RateLimiter:
    return executor.find(RateLimitExecutor).limiter


def used(executor: object, limit: str, key: str = "") -> int:
    return limiter_of(executor).levels()[key]["limits"][limit]["used"]


def tagged(**tags: str) -> ChatOptions:
    return ChatOptions(call=CallContext(tags=tags))


def rate_limited(hint: float | None = None) -> ExecutorError:
    return ExecutorError("rate_limited", "slow down", status=429, retry_after=hint)


async def timed(executor: object, model: str = "m", options: ChatOptions | None = None) -> tuple[float, object]:
    """When the answer or the error came, and it."""
    try:
        result = await executor.exec_chat_response(model, REQUEST, options)
    except (ExecutorError, RejectedError) as error:
        result = error
    return asyncio.get_running_loop().time(), result
