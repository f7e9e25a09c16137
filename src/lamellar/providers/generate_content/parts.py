"""One part of ours in Google's form."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pydantic import JsonValue
from pydantic_core import from_json

from ...chat.content import Binary, ToolCall, ToolResponse
from ..data_urls import with_bytes
from ..refusal import Refusal
from .calls import sent_id

__all__ = ["REPORTED", "binary_part", "call_part", "response_part"]

REPORTED = ("groundingMetadata", "urlContextMetadata", "citationMetadata", "logprobsResult", "continuationToken")
"""What a candidate reports about its own answer: kept, each as one `Custom`, and no part of a request."""


def binary_part(part: Binary, where: str, refuse: Refusal) -> dict[str, Any]:
    """Bytes go inline, a URL as a file: of the Files API, of YouTube, a bucket's (`gs://`) or any public one.

    Raises:
        ExecutorError: The media type is missing, which Google needs for both.
    """
    kind, slash, subtype = part.content_type.partition("/")
    if not (kind and slash and subtype):
        raise refuse(f"{where}.content_type", part.content_type, "give the media type, such as 'image/png'")
    source = with_bytes(part).source
    url, data = source.url, source.base64
    if url is not None and url[:5].lower() == "data:":
        raise refuse(f"{where}.source.url", "data:...", "a data URL must be in base64: use Binary.from_bytes")
    if url is not None:
        return {"fileData": {"mimeType": part.content_type, "fileUri": url}}
    return {"inlineData": {"mimeType": part.content_type, "data": data}}


def call_part(part: ToolCall, where: str, refuse: Refusal, *, signed: bool) -> dict[str, Any]:
    """A call, with its id where it came with one and, where that is Google's, the signature it came with.

    Raises:
        ExecutorError: The arguments are no object, or there is more than one signature.
    """
    call: dict[str, Any] = {"name": part.fn_name, "args": _arguments(part.fn_arguments, where, refuse)}
    call_id = sent_id(part.call_id)
    if call_id is not None:
        call["id"] = call_id
    sent: dict[str, Any] = {"functionCall": call}
    signatures = (part.thought_signatures or ()) if signed else ()
    if len(signatures) > 1:
        mend = "a call carries one signature here: send the one that came with it"
        raise refuse(f"{where}.thought_signatures", signatures, mend)
    for signature in signatures:
        sent["thoughtSignature"] = signature
    return sent


def response_part(part: ToolResponse, name: str | None, where: str, refuse: Refusal) -> dict[str, Any]:
    """A tool's answer: an object as it is, anything else as the `result` of one.

    Raises:
        ExecutorError: Nobody knows the function's name.
    """
    if not name:
        mend = "give the function's name, or put the call with this id into the conversation"
        raise refuse(f"{where}.fn_name", part.fn_name, mend)
    content = part.content
    answer: dict[str, Any] = {"name": name, "response": content if isinstance(content, dict) else {"result": content}}
    call_id = sent_id(part.call_id)
    if call_id is not None:
        answer["id"] = call_id
    return {"functionResponse": answer}


def _arguments(arguments: JsonValue, where: str, refuse: Refusal) -> dict[str, Any]:
    if isinstance(arguments, str):
        with suppress(ValueError):  # no JSON: it is refused below as the text it is
            arguments = from_json(arguments) if arguments.strip() else None
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise refuse(f"{where}.fn_arguments", arguments, "arguments are a JSON object here")
    return arguments
