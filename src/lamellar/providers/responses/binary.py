"""Images and documents in the provider's form."""

from __future__ import annotations

from typing import Any

from ...chat.content import Binary
from ..refusal import Refusal

__all__ = ["binary_part"]

_ENDINGS = {"plain": "txt", "markdown": "md"}


def binary_part(part: Binary, where: str, refuse: Refusal) -> dict[str, Any]:
    """The part for an image or a document.

    Raises:
        ExecutorError: It is sound or a video, of which the provider takes neither.
    """
    kind, _, subtype = part.content_type.lower().partition(";")[0].strip().partition("/")
    url = part.source.url
    if kind == "image":
        return {"type": "input_image", "image_url": url or _data_url(part)}
    if kind in ("audio", "video"):
        raise refuse(f"{where}.content_type", part.content_type, "this provider takes images and documents only")
    if url is not None and not url.startswith("data:"):
        return {"type": "input_file", "file_url": url}  # with a name beside the URL the provider refuses it
    name = part.name or f"document.{_ENDINGS.get(subtype, subtype)}"
    return {"type": "input_file", "filename": name, "file_data": url or _data_url(part)}


def _data_url(part: Binary) -> str:
    return f"data:{part.content_type};base64,{part.source.base64}"
