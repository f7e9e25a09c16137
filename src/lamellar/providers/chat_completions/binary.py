"""Images, sound and documents in the dialect's form."""

from __future__ import annotations

from typing import Any

from ...chat.content import Binary
from ..data_urls import with_bytes
from ..refusal import Refusal
from ..wire import Quirks

__all__ = ["binary_part"]

_AUDIO = {"mpeg": "mp3", "mp3": "mp3", "wav": "wav", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}
_ENDINGS = {"plain": "txt", "markdown": "md", "json": "json", "csv": "csv", "html": "html"}


def binary_part(part: Binary, where: str, quirks: Quirks, refuse: Refusal) -> dict[str, Any]:
    """The part for an image, a sound or a document.

    Raises:
        ExecutorError: The dialect cannot carry it, or not from where it is.
    """
    if part.content_type[:6].lower() != "image/":
        part = with_bytes(part)
    kind, _, subtype = part.content_type.lower().partition(";")[0].strip().partition("/")
    url, data = part.source.url, part.source.base64
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": url or _data_url(part)}}
    if kind == "audio":
        if quirks.audio == "text":
            return {"type": "input_audio", "input_audio": url or data}
        if data is None:
            raise refuse(f"{where}.source.url", url, "sound is sent as base64: fetch it and use Binary.from_bytes")
        return {"type": "input_audio", "input_audio": {"data": data, "format": _AUDIO.get(subtype, subtype)}}
    if kind == "video":
        raise refuse(f"{where}.content_type", part.content_type, "send it as a Custom part in the provider's own form")
    if quirks.documents == "document_url":
        document: dict[str, Any] = {"type": "document_url", "document_url": url or _data_url(part)}
        if part.name:
            document["document_name"] = part.name
        return document
    if url is not None and quirks.documents != "file_url":
        raise refuse(f"{where}.source.url", url, "a document is sent as base64: fetch it and use Binary.from_bytes")
    name = part.name or f"document.{_ENDINGS.get(subtype, subtype)}"
    return {"type": "file", "file": {"filename": name, "file_data": url or _data_url(part)}}


def _data_url(part: Binary) -> str:
    return f"data:{part.content_type};base64,{part.source.base64}"
