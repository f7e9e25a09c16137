"""How many tokens a call will cost, before it is made: a cheap guess that the answer's own usage corrects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tokens import prompt_tokens

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest

__all__ = ["estimated_tokens", "prompt_tokens"]


def estimated_tokens(chat_req: ChatRequest, options: ChatOptions | None, output: int) -> int:
    """The prompt's tokens, and the answer's: the caller's `max_tokens`, or `output` where there is none."""
    bound = options.max_tokens if options is not None else None
    return prompt_tokens(chat_req) + (output if bound is None else bound)
