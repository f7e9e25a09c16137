"""The layer: hide before the call, show after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lamellar.executor import ExecutorWrapper, Operation, ResultT
from lamellar.scope import current_scope
from lamellar.stream import LlmEventStream

from .finders import finders
from .messages import hidden, shown
from .source import RestoringSource
from .vault import Vault

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.executor import LlmExecutor

    from .spec import Redact

__all__ = ["RedactExecutor"]


class RedactExecutor(ExecutorWrapper):
    """Hides values from the inner executor.

    Args:
        inner: The executor to wrap.
        spec: The options.
    """

    def __init__(self, inner: LlmExecutor, spec: Redact) -> None:
        super().__init__(inner)
        self.spec = spec
        self._finders = finders(spec.patterns, spec.custom)

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        vault = Vault(self.spec.placeholder, self._finders, chat_req.model_dump_json)
        sent = hidden(chat_req, vault, self.spec.where)
        scope = current_scope()
        if scope is not None and vault.values:
            scope.note("lamellar.redact.values", len(vault.values))
        result = await operation(self.inner, model, sent, options)
        if not vault.values or not self.spec.restore:
            return result
        if not isinstance(result, LlmEventStream):
            return cast("ResultT", shown(cast("ChatResponse", result), vault))
        stream = LlmEventStream(RestoringSource(result, vault))
        await stream.ready()
        return cast("ResultT", stream)
