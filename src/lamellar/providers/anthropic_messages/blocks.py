"""Single parts as the blocks that the provider takes: images, documents, tool calls, tool results, thinking."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from pydantic_core import to_json

from ...chat.content import Binary, ToolCall, ToolResponse
from ..arguments import arguments_object
from ..data_urls import with_bytes
from ..refusal import Refusal
from ..tool_ids import ToolIds

__all__ = ["binary_block", "cache_mark", "call_block", "result_block", "thinking_block"]

_RESULT_BLOCKS = frozenset({"text", "image", "document", "search_result", "tool_reference", "browser_state"})
"""What a tool's result may consist of; anything else is sent as JSON text."""


def cache_mark(kind: str) -> dict[str, Any]:
    """The mark that ends a cacheable prefix.

    It says how long the prefix may be kept. The provider keeps one for an hour at most, so 24h is sent as that.
    """
    if kind == "ephemeral":
        return {"type": "ephemeral"}
    return {"type": "ephemeral", "ttl": "1h" if kind == "24h" else kind}


def binary_block(part: Binary, where: str, refuse: Refusal) -> dict[str, Any]:
    """The block for an image or a document.

    Raises:
        ExecutorError: It is neither, or cannot be sent from where it is.
    """
    part = with_bytes(part)
    media_type = part.content_type.lower().partition(";")[0].strip()
    kind = media_type.partition("/")[0]
    if kind in ("audio", "video"):
        raise refuse(f"{where}.content_type", part.content_type, "this provider takes images and documents only")
    url, data = part.source.url, part.source.base64
    if kind == "image":
        if media_type == "image/jpg":
            media_type = "image/jpeg"  # a common name that the provider does not know
        source = {"type": "url", "url": url} if data is None else _data(media_type, data)
        return {"type": "image", "source": source}
    block: dict[str, Any] = {"type": "document", "source": _document(part, media_type, where, refuse)}
    if part.name:
        block["title"] = part.name
    return block


def _document(part: Binary, media_type: str, where: str, refuse: Refusal) -> dict[str, Any]:
    """A PDF as it is, a text as text: the provider has no other documents."""
    data = part.source.base64
    if data is None:
        if media_type == "application/pdf":
            return {"type": "url", "url": part.source.url}
        raise refuse(f"{where}.source.url", part.content_type, "only a PDF is sent by URL: fetch it, and send its text")
    if media_type == "application/pdf":
        return _data(media_type, data)
    if not media_type.startswith("text/") and media_type not in ("application/json", "application/xml"):
        raise refuse(f"{where}.content_type", part.content_type, "a document is a PDF or a text here")
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise refuse(f"{where}.source.base64", part.content_type, "a text document is UTF-8 in base64") from None
    return {"type": "text", "media_type": "text/plain", "data": text}


def _data(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": data}


def call_block(part: ToolCall, where: str, ids: ToolIds, refuse: Refusal) -> dict[str, Any]:
    """The block for a tool call; its arguments are an object here.

    Raises:
        ExecutorError: The arguments are none.
    """
    arguments = arguments_object(part, where, refuse)
    return {"type": "tool_use", "id": ids.of_call(part.call_id), "name": part.fn_name, "input": arguments}


def result_block(part: ToolResponse, ids: ToolIds) -> dict[str, Any]:
    """The block for a tool's answer: text, a list of the provider's own blocks, or JSON text."""
    content = part.content
    if not isinstance(content, str) and not _is_blocks(content):
        content = to_json(content, inf_nan_mode="constants").decode()
    return {"type": "tool_result", "tool_use_id": ids.of_result(part.call_id), "content": content}


def _is_blocks(content: object) -> bool:
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(block, dict) and block.get("type") in _RESULT_BLOCKS for block in content)
    )


def thinking_block(text: str, signature: str) -> dict[str, Any]:
    """Thinking as it came, with the signature that proves it."""
    return {"type": "thinking", "thinking": text, "signature": signature}
