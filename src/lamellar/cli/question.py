"""What is asked: the prompt as it comes on the command line or in a pipe, and the files that go with it."""

from __future__ import annotations

import mimetypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .report import UsageError

if TYPE_CHECKING:
    from ..chat.content import ContentPart

__all__ = ["attachments", "is_text", "is_typed_in", "read_prompt"]

_LARGEST = 50_000_000
"""Bytes of a file that is attached; no provider takes as much within a request."""

_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
)
"""How files begin that providers take; their names are wrong more often, and a wrong type is refused."""


def is_typed_in(prompt: str | None) -> bool:
    """Whether there is no prompt and somebody sits at the keyboard: then it is a conversation."""
    return prompt is None and sys.stdin is not None and sys.stdin.isatty()


def is_text(text: str) -> bool:
    """Whether `text` can be sent: a terminal may deliver bytes that are no characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_prompt(prompt: str | None) -> str:
    """The prompt, read from standard input for None and `-`.

    Raises:
        UsageError: There is none, or it is no text.
    """
    if prompt in (None, "-"):
        if sys.stdin is None:
            raise UsageError("no prompt: standard input is closed", "chat")
        try:
            prompt = sys.stdin.buffer.read().decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UsageError(f"the prompt on standard input is not UTF-8 text (byte {error.start})", "chat") from None
        except OSError as error:
            raise UsageError(f"the prompt on standard input cannot be read: {error.strerror}", "chat") from None
    try:
        str(prompt).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the prompt is not UTF-8 text (character {error.start})", "chat") from None
    if not str(prompt).strip():
        raise UsageError("the prompt is empty", "chat")
    return str(prompt)


def attachments(images: Sequence[str], files: Sequence[str]) -> tuple[ContentPart, ...]:
    """The parts that the options `--image` and `--file` add to a message.

    Args:
        images: Paths of images.
        files: Paths of anything: documents and sound go as they are, text goes as text.

    Raises:
        UsageError: One cannot be read, or is not what it should be.
    """
    return (*[_image(Path(each)) for each in images], *[_file(Path(each)) for each in files])


def _image(path: Path) -> ContentPart:
    from ..chat.content import Binary

    data = _read(path, "--image")
    kind = _kind(path, data)
    if not kind.startswith("image/"):
        raise UsageError(f"--image: {path}: not an image that is known; other files are attached with --file", "chat")
    return Binary.from_bytes(kind, data, path.name)


def _file(path: Path) -> ContentPart:
    from ..chat.content import Binary, Text

    data = _read(path, "--file")
    kind = _kind(path, data)
    if kind == "application/pdf" or (kind.startswith(("image/", "audio/", "video/")) and kind != "image/svg+xml"):
        return Binary.from_bytes(kind, data, path.name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            f"--file: {path}: neither UTF-8 text nor an image, sound, video or PDF; convert it first", "chat"
        ) from None
    return Text(f"File {path.name}:\n\n{text}")


def _read(path: Path, option: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{option}: {path}: cannot be read: {reason}", "chat") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{option}: {path}: larger than {_LARGEST // 1_000_000} MB", "chat")
    if not data:
        raise UsageError(f"{option}: {path}: the file is empty", "chat")
    return data


def _kind(path: Path, data: bytes) -> str:
    for at, signature, kind in _SIGNATURES:
        if data.startswith(signature, at):
            return kind
    return mimetypes.guess_type(path.name, strict=False)[0] or ""
