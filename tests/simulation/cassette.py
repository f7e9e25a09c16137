"""A cassette for Replay: every model and prompt of the consumers, recorded some times over."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamellar import ChatRequest, Stack
from lamellar.middleware import Record
from lamellar.testing import ScriptedExecutor, answer, run_virtual

from .consumers import MODELS, PROMPTS
from .invariants import RECORDED

__all__ = ["cassette"]


@contextmanager
def cassette() -> Iterator[str]:
    """The path of a cassette, while the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "recorded.jsonl")
        run_virtual(_record(path))
        yield path


async def _record(path: str) -> None:
    said = ScriptedExecutor(answer(RECORDED.partition(" ")), repeat=True)
    async with Stack(Record(path=path), said).build() as executor:
        for model in (*MODELS, "own"):
            for prompt in PROMPTS:
                for _ in range(4):
                    await executor.exec_chat_response(model, ChatRequest.from_user(prompt))
                    stream = await executor.exec_chat_stream_events(model, ChatRequest.from_user(prompt))
                    await stream.collect()
