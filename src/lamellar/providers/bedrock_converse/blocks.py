"""Single parts as the blocks that the provider takes: marks, tool calls, tool results, reasoning."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from ...chat.content import ToolCall, ToolResponse
from ..arguments import arguments_object
from ..refusal import Refusal
from ..tool_ids import ToolIds

__all__ = ["cache_point", "call_block", "is_cache_point", "reasoning_block", "result_block"]

_RESULT_BLOCKS = frozenset({"json", "text", "image", "document", "video", "searchResult"})
"""What a tool's result may consist of; see
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolResultContentBlock.html."""


def cache_point(kind: str) -> dict[str, Any]:
    """The mark that ends a cacheable prefix. The provider keeps one for an hour at most, so 24h is sent as that."""
    point: dict[str, Any] = {"type": "default"}
    if kind != "ephemeral":
        point["ttl"] = "1h" if kind == "24h" else kind
    return {"cachePoint": point}


def is_cache_point(block: object) -> bool:
    """Whether a block is such a mark."""
    return isinstance(block, dict) and block.keys() == {"cachePoint"}


def call_block(part: ToolCall, where: str, ids: ToolIds, refuse: Refusal) -> dict[str, Any]:
    """The block for a tool call; its arguments are an object here.

    Raises:
        ExecutorError: The arguments are none.
    """
    arguments = arguments_object(part, where, refuse)
    return {"toolUse": {"toolUseId": ids.of_call(part.call_id), "name": part.fn_name, "input": arguments}}


def result_block(part: ToolResponse, ids: ToolIds) -> dict[str, Any]:
    """The block for a tool's answer: text, an object, a list of the provider's own blocks, or JSON text."""
    content = part.content
    blocks: list[Any]
    if isinstance(content, str):
        blocks = [{"text": content}]
    elif isinstance(content, dict):
        blocks = [{"json": content}]
    elif isinstance(content, list) and content and all(map(_is_block, content)):
        blocks = content
    else:
        blocks = [{"text": to_json(content, inf_nan_mode="constants").decode()}]
    return {"toolResult": {"toolUseId": ids.of_result(part.call_id), "content": blocks}}


def reasoning_block(text: str, signature: str) -> dict[str, Any]:
    """Reasoning as it came, with the signature that proves it."""
    return {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}


def _is_block(block: object) -> bool:
    return isinstance(block, dict) and len(block) == 1 and block.keys() <= _RESULT_BLOCKS
