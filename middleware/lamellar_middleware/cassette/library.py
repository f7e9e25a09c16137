"""The recordings of a cassette: read, checked, and found again by what is asked."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamellar.call import Outcome
from lamellar.chat.events import End
from lamellar.chat.usage import Usage
from lamellar.errors import ConfigError

from .codec import answer_from, error_from, event_from
from .differences import differences
from .request import scrubbed
from .writer import VERSION

if TYPE_CHECKING:
    from lamellar.errors import ExecutorError, RejectedError

    from .request import Asked
    from .scrubbing import Scrubber, TimedEvent

__all__ = ["Library", "Recording"]


@dataclass
class Recording:
    """One exchange.

    Args:
        line: Its line in the file, from 1.
        asked: What was asked.
        streaming: Whether a stream was.
        took: Seconds that it took in all.
        outcome: How a stream ended; None for a whole answer.
        response: The answer, as it is written; None where there was none.
        events: The events of a stream, with the seconds at which they came.
        error: The failure, as it is written; None where there was none.
        usage: What was known of the tokens of a stream that did not complete.
    """

    line: int
    asked: Asked
    streaming: bool
    took: float = 0.0
    outcome: Outcome | None = None
    response: dict[str, Any] | None = None
    events: list[TimedEvent] = field(default_factory=list)
    error: dict[str, Any] | None = None
    usage: Usage | None = None

    @classmethod
    def read(cls, line: int, data: dict[str, Any], scrubber: Scrubber) -> Recording:
        """The exchange of a line.

        Raises:
            ValueError: It is none, or something is missing.
        """
        asked = scrubbed({"options": {}, **data}, scrubber)
        usage = data.get("usage")
        found = cls(
            line,
            asked,
            bool(data.get("streaming")),
            float(data.get("took", 0.0)),
            Outcome(data["outcome"]) if "outcome" in data else None,
            data.get("response"),
            [(float(event.get("at", 0.0)), event_from(event)) for event in data.get("events", ())],
            data.get("error"),
            Usage.model_validate(usage) if usage is not None else None,
        )
        if found.response is not None:
            answer_from(found.response, "", "")
        if found.error is not None:
            found.failure()
        if found.response is None and found.error is None and found.outcome is None:
            raise ValueError("there is neither a `response`, nor `events` with an `outcome`, nor an `error`")
        if found.outcome is Outcome.COMPLETED and not (found.events and isinstance(found.events[-1][1], End)):
            raise ValueError("a completed stream has an `end` as its last event")
        return found

    def failure(self) -> ExecutorError | RejectedError | None:
        """What it failed with, or None."""
        return None if self.error is None else error_from(self.error)


class Library:
    """The recordings of one cassette, each played once.

    Args:
        path: The file, for messages.
        recordings: What is in it, in order.
        scrubber: What is not to be compared.
        in_order: Whether they are asked for in that order.
    """

    def __init__(self, path: str, recordings: list[Recording], scrubber: Scrubber, *, in_order: bool) -> None:
        self.scrubber = scrubber
        self._path = path
        self._recordings = recordings
        self._in_order = in_order
        self._by_key: dict[str, list[Recording]] = defaultdict(list)
        for each in recordings:
            self._by_key[_key(each.asked)].append(each)
        self._played: set[int] = set()

    @classmethod
    def load(cls, path: str, scrubber: Scrubber, *, in_order: bool) -> Library:
        """Read a cassette.

        Raises:
            ConfigError: It cannot be read, or is no cassette; the line is named.
        """
        file = Path(path).expanduser()
        try:
            lines = file.read_bytes().split(b"\n")
        except OSError as error:
            raise ConfigError(
                f"path: the cassette {path} cannot be read: {error.strerror or error}; record it with Record(path=...)"
            ) from None
        recordings = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                data = json.loads(line)
                if not isinstance(data, dict):
                    raise ValueError("a line is a JSON object")
                if "lamellar_cassette" in data:
                    _check_version(data["lamellar_cassette"])
                else:
                    recordings.append(Recording.read(number, data, scrubber))
            except ConfigError:
                raise
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ConfigError(
                    f"path: line {number} of the cassette {path} is no recording ({_why(error)}); "
                    "delete the line, or record again"
                ) from None
        return cls(path, recordings, scrubber, in_order=in_order)

    def __len__(self) -> int:
        return len(self._recordings)

    @property
    def played(self) -> int:
        """How many were played."""
        return len(self._played)

    def rewind(self) -> None:
        """None of them has been played."""
        self._played.clear()

    def take(self, asked: Asked, *, streaming: bool) -> Recording:
        """The recording of this request that is to be played now.

        Raises:
            ConfigError: There is none; the nearest is named, with what is different.
        """
        left = [each for each in self._recordings if each.line not in self._played]
        known = self._by_key.get(_key(asked), [])
        if self._in_order:
            found = left[0] if left and left[0] in known else None
        else:
            fitting = [each for each in known if each.line not in self._played]
            found = next((each for each in fitting if each.streaming is streaming), fitting[0] if fitting else None)
        if found is None:
            raise ConfigError(self._complaint(asked, known, left))
        self._played.add(found.line)
        return found

    def _complaint(self, asked: Asked, known: list[Recording], left: list[Recording]) -> str:
        where = f"the cassette {self._path}"
        if not self._recordings:
            return f"{where} is empty; record it with Record(path=...)"
        if self._in_order and left:
            return f"{where} has another request next, on line {left[0].line}: {_told(left[0], asked)}"
        if self._in_order or known:
            lines = ", ".join(str(each.line) for each in known) or "none"
            return f"{where} has been played: recordings of this request are on lines {lines}, and each is played once"
        nearest = min(self._recordings, key=lambda each: len(differences(each.asked, asked)))
        return f"{where} has no recording of this request; the nearest is on line {nearest.line}: " + _told(
            nearest, asked
        )


_MOST = 5
"""Differences that are told."""


def _told(recording: Recording, asked: Asked) -> str:
    found = differences(recording.asked, asked) or ["it is the same request, recorded at another place"]
    more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(found[:_MOST]) + more


def _key(asked: Asked) -> str:
    return json.dumps(asked, sort_keys=True)


def _check_version(version: object) -> None:
    if version != VERSION:
        raise ConfigError(
            f"path: the cassette has version {version!r}, and this Lamellar reads version {VERSION}; record it again"
        )


def _why(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error).partition("\n")[0]
