"""What is asked, as it is written and known again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from lamellar.identity import identity_of_options

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest

    from .scrubbing import Scrubber

__all__ = ["Asked", "asked", "scrubbed"]

Asked = dict[str, "JsonValue"]
"""`model`, `request` and `options`, scrubbed."""


def asked(model: str, chat_req: ChatRequest, options: ChatOptions | None, scrubber: Scrubber) -> Asked:
    """What of a call decides its answer.

    Raises:
        ValueError: It cannot be written as JSON.
    """
    request: dict[str, Any] = chat_req.model_dump(mode="json", exclude_none=True, warnings=False)
    for message in request.get("messages", ()):
        message["content"] = [_digested(part) for part in message["content"]]
    said = identity_of_options(options) if options is not None else {}
    return scrubbed({"model": model, "request": request, "options": said}, scrubber)


def scrubbed(data: dict[str, Any], scrubber: Scrubber) -> Asked:
    """What was asked, with its texts scrubbed; once more changes nothing.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: It is not of this shape.
    """
    request: dict[str, Any] = scrubber.fields(data["request"], "system")
    if "messages" in request:
        request["messages"] = [
            {**message, "content": scrubber.parts(message["content"])} for message in request["messages"]
        ]
    if "tools" in request:
        request["tools"] = [scrubber.fields(tool, "description", "schema", "config") for tool in request["tools"]]
    options = {name: scrubber.value(value) for name, value in data["options"].items()}
    return {"model": data["model"], "request": request, "options": options}


def _digested(part: dict[str, Any]) -> dict[str, Any]:
    """A part whose bytes, if it has any, are told by their digest."""
    source = part.get("source")
    if not isinstance(source, dict) or "base64" not in source:
        return part
    digest = hashlib.sha256(source["base64"].encode()).hexdigest()
    return {**part, "source": {**source, "base64": f"sha256:{digest}"}}
