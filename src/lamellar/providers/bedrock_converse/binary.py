"""Images, documents, videos and sound as the blocks that the provider takes.

The bytes go in base64 within the request, or stay where they are in Amazon S3 (`s3://…`). No URL is fetched, and a
document has a name, in an alphabet of its own: see
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html.
"""

from __future__ import annotations

import re
from typing import Any

from ...chat.content import Binary
from ..refusal import Refusal

__all__ = ["DocumentNames", "binary_block"]

_IMAGES = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "gif": "gif", "webp": "webp"}
_VIDEOS = {
    "mp4": "mp4",
    "quicktime": "mov",
    "mov": "mov",
    "x-matroska": "mkv",
    "matroska": "mkv",
    "webm": "webm",
    "x-flv": "flv",
    "mpeg": "mpeg",
    "mpg": "mpg",
    "x-ms-wmv": "wmv",
    "3gpp": "three_gp",
}
_SOUNDS = {
    "mpeg": "mp3",
    "mp3": "mp3",
    "wav": "wav",
    "x-wav": "wav",
    "wave": "wav",
    "aac": "aac",
    "x-aac": "x-aac",
    "flac": "flac",
    "x-flac": "flac",
    "ogg": "ogg",
    "opus": "opus",
    "mp4": "mp4",
    "m4a": "m4a",
    "x-m4a": "m4a",
    "webm": "webm",
    "x-matroska": "mka",
    "pcm": "pcm",
    "l16": "pcm",
}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
    "application/json": "txt",
    "application/xml": "txt",
    "application/yaml": "txt",
}
_KINDS = {"image": _IMAGES, "video": _VIDEOS, "audio": _SOUNDS}

_STRANGE = re.compile(r"[^a-zA-Z0-9\s\-()\[\]]")
_SPACES = re.compile(r"\s+")
_LONGEST = 200


class DocumentNames:
    """The names of a request's documents: the caller's where the alphabet allows, else numbers; no two are equal."""

    __slots__ = ("_given", "_number")

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._number = 0

    def name(self, wanted: str | None, kind: str) -> str:
        """A name for a document.

        Args:
            wanted: The caller's.
            kind: The format, which a file's name has at its end.
        """
        plain = _STRANGE.sub("-", (wanted or "").strip().removesuffix(f".{kind}"))
        plain = _SPACES.sub(" ", plain).strip()[:_LONGEST]
        if not plain.strip("- "):
            self._number += 1
            plain = f"Document {self._number}"
        found, again = plain, 1
        while found in self._given:
            again += 1
            mark = f" ({again})"
            found = plain[: _LONGEST - len(mark)] + mark
        self._given.add(found)
        return found


def binary_block(part: Binary, where: str, names: DocumentNames, refuse: Refusal) -> dict[str, Any]:
    """The block for an image, a document, a video or sound.

    Raises:
        ExecutorError: It is none of them, or cannot be sent from where it is.
    """
    media_type = part.content_type.lower().partition(";")[0].strip()
    kind, _, subtype = media_type.partition("/")
    formats = _KINDS.get(kind)
    if formats is not None:
        if subtype not in formats:
            mend = f"the formats for {kind} are {', '.join(dict.fromkeys(formats.values()))}"
            raise refuse(f"{where}.content_type", part.content_type, mend)
        return {kind: {"format": formats[subtype], "source": _source(part, where, refuse)}}
    document = _DOCUMENTS.get(media_type, "txt" if kind == "text" else None)
    if document is None:
        mend = "a document is a PDF, a text, CSV, HTML, Markdown, or a file of Word or Excel here"
        raise refuse(f"{where}.content_type", part.content_type, mend)
    source = _source(part, where, refuse)
    return {"document": {"name": names.name(part.name, document), "format": document, "source": source}}


def _source(part: Binary, where: str, refuse: Refusal) -> dict[str, Any]:
    url, data = part.source.url, part.source.base64
    if url is not None:
        if url.startswith("s3://"):
            return {"s3Location": {"uri": url}}
        head, comma, data = url.partition(",")
        if not (url.startswith("data:") and comma and head.endswith(";base64")):
            mend = "no URL is fetched here, but s3://…: fetch it, and send its bytes"
            raise refuse(f"{where}.source.url", part.content_type, mend)
    return {"bytes": data}
