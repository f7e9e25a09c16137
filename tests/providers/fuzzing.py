"""Bodies and streams gone wrong, and what must be true of them in every dialect."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from lamellar.chat.content import ContentPart
from lamellar.chat.events import End, Progress, Start, StreamEvent
from lamellar.chat.options import ChatOptions
from lamellar.chat.response import ChatResponse
from lamellar.errors import ExecutorError
from lamellar.providers.wire import Dialect, Exchange, StreamParser

__all__ = ["OPTIONS", "Fuzz", "damaged", "mutated", "nested", "paths"]

OPTIONS = ChatOptions(normalize_reasoning_content=True, capture_raw_body=True)

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e400, 10**30, "", "x", [], [[]], [None], {}, {"": None}, {"text": {}},
)  # fmt: skip
_ODD_BYTES = (b"", b"\r", b"\n\n", b"\xff", b"\x00", b'"', b"{", b"]", b"\\ud800", b"NaN")


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a value, with each of its keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutated(value: Any, dice: random.Random, *odd: Any) -> Any:
    """A copy with some of what is in it replaced, dropped or moved.

    Args:
        value: A JSON value, or several in a list.
        dice: Decides.
        *odd: What may stand somewhere beside what is odd in every dialect: its own words, in the wrong place.
    """
    said = copy.deepcopy(value)
    for _ in range(dice.randint(1, 4)):
        found = list(places(said)) or [({}, "")]  # nothing may be left of it
        container, key = dice.choice(found)
        fate = dice.random()
        if fate < 0.2 and isinstance(container, dict):
            container.pop(key, None)
        elif fate < 0.3 and isinstance(container, list):
            dice.shuffle(container)
        elif fate < 0.4:
            other, from_ = dice.choice(found)
            container[key] = copy.deepcopy(other[from_]) if from_ in (other if isinstance(other, dict) else ()) else []
        else:
            container[key] = copy.deepcopy(dice.choice((*_ODD, *odd)))
    return said


def damaged(data: bytes, dice: random.Random, *odd: bytes) -> bytes:
    """Bytes with some of them dropped or replaced, also by `odd`."""
    broken = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(broken))
        if dice.random() < 0.3:
            del broken[at : at + dice.randint(1, 40)]
        else:
            broken[at : at + 1] = dice.choice((*_ODD_BYTES, *odd))
    return bytes(broken)


def nested(depth: int) -> str:
    """A JSON text of objects within objects."""
    return '{"a":' * depth + "1" + "}" * depth


class Fuzz:
    """What must be true of anything that comes, in one dialect.

    Args:
        dialect: The dialect.
        exchange: What is known of a request with these options.
        opened: Opens its parser of streams.
        sent_back: Sends an answer's content as a turn of a conversation.
        headers: The response's. Default: none.
    """

    def __init__(
        self,
        dialect: Dialect,
        exchange: Callable[[ChatOptions | None], Exchange],
        opened: Callable[[ChatOptions | None], StreamParser],
        sent_back: Callable[[tuple[ContentPart, ...]], object],
        headers: dict[str, str] | None = None,
    ) -> None:
        self._dialect = dialect
        self._exchange = exchange
        self._opened = opened
        self._sent_back = sent_back
        self._headers = headers or {}

    def stream(self, data: bytes, dice: random.Random, options: ChatOptions | None) -> list[StreamEvent | Progress]:
        """A stream is whole or in error, begins once, and what it became can go back."""
        parser = self._opened(options)
        events: list[StreamEvent | Progress] = []
        at = 0
        while at < len(data):
            step = dice.randint(1, 200)
            events += parser.feed(data[at : at + step])
            at += step
        events += parser.finish()
        assert parser.ended is (parser.error is None)
        assert [isinstance(found, End) for found in events].count(True) == parser.ended
        assert [isinstance(found, Start) for found in events].count(True) <= 1
        _ = parser.usage
        if events:
            assert isinstance(events[0], Start)
        if parser.ended:
            assert isinstance(events[-1], End)
            assert events[-1].content is not None
            self._sane(events[-1].content)
        return events

    def odd_values(self, payloads: list[Any], framed: Callable[[Any], bytes], seed: int, *odd: Any) -> None:
        """The payloads with odd values in them, as a stream, each as a body, and the last one as an error."""
        dice = random.Random(seed)
        options = OPTIONS if seed % 2 else None
        said = mutated(payloads, dice, *odd)
        if dice.random() < 0.3:
            dice.shuffle(said)
        self.stream(b"".join(map(framed, said)), dice, options)
        for each in said:
            self.whole(json.dumps(each).encode(), options)
        self.error(dice.choice([400, 429, 500]), json.dumps(said[-1]).encode())

    def odd_bytes(self, data: bytes, seed: int) -> None:
        """Damaged bytes, as a stream and as a body."""
        dice = random.Random(seed)
        broken = damaged(data, dice)
        self.stream(broken, dice, None)
        self.whole(broken, None)

    def whole(self, data: bytes, options: ChatOptions | None) -> None:
        """A body is an answer that can go back, or an error."""
        try:
            response = self._dialect.parse_response(self._exchange(options), 200, self._headers, data)
        except ExecutorError:
            return
        self._sane(response.content)
        assert ChatResponse.model_validate_json(response.model_dump_json(exclude={"raw"})).text == response.text

    def error(self, status: int, data: bytes) -> None:
        """A body with such a status is an error."""
        found = self._dialect.parse_error(self._exchange(None), status, {}, data)
        assert isinstance(found, ExecutorError)
        assert found.kind

    def _sane(self, content: tuple[ContentPart, ...]) -> None:
        """What was read can go back, or is refused by name."""
        if content:
            try:
                self._sent_back(content)
            except ExecutorError as error:
                if error.kind != "invalid_request":
                    raise
