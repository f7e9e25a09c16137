"""A bound on a whole call: one mechanism for `Timeout(total=…)` and the caller's own `CallContext.timeout`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ErrorKind, ExecutorError, RejectedError
from .scope import CallScope, use_scope

if TYPE_CHECKING:
    from .chat.options import ChatOptions
    from .chat.request import ChatRequest
    from .executor import LlmExecutor, Operation, ResultT

__all__ = ["exec_within"]

_SLACK = 0.05
"""Seconds."""


async def exec_within(
    total: float,
    reserve: float,
    scope: CallScope,
    operation: Operation[ResultT],
    executor: LlmExecutor,
    model: str,
    chat_req: ChatRequest,
    options: ChatOptions | None,
) -> ResultT:
    """Run `operation` with the call bounded to `total` seconds from now, a stream's later waiting included.

    Until the answer is committed the bound is enforced here; after it by the attempt's reads, which find it in the
    scope.

    Raises:
        RejectedError: Kind ``deadline``: the time was over first.
    """
    narrowed = scope.with_deadline(total, reserve)
    if narrowed.deadline == scope.deadline:  # a sooner bound stands outside and is being watched there
        with use_scope(narrowed):
            return await operation(executor, model, chat_req, options)
    # The attempt ends by itself when the deadline comes, as its own timeout on the record; the limit here is for
    # whatever else may be waited for, and a little later.
    limit = scope.clock.timeout_at(scope.clock.now() + total + _SLACK)
    try:
        async with limit:
            with use_scope(narrowed):
                return await operation(executor, model, chat_req, options)
    except TimeoutError:
        if not limit.expired:
            raise
    except ExecutorError as error:
        if error.code != "deadline" or (narrowed.until_deadline() or 0) > 0:
            raise
    raise RejectedError(ErrorKind.DEADLINE, f"no answer within the call's {total:g} s")
