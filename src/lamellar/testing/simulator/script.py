"""Which reply answers which request: the script, the rules beside it, and the default after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from lamellar.errors import ConfigError

from .log import RequestLog
from .replies import Reply

__all__ = ["Script", "ScriptLike"]

ScriptLike: TypeAlias = Reply | Iterable[Reply] | Callable[[RequestLog], Reply]
"""One reply for every request; replies in the order of arrival; or a function that decides."""


class Script:
    """Replies in order.

    Args:
        source: The replies.
        name: What to call it in an error.
    """

    def __init__(self, source: ScriptLike, name: str = "script") -> None:
        self._queue: deque[Reply] = deque()
        self._always: Callable[[RequestLog], Reply] | None = None
        if isinstance(source, Reply):
            reply = source
            self._always = lambda request: reply
        elif callable(source):
            self._always = source
        else:
            self.push(*source, name=name)

    def push(self, *replies: Reply, name: str = "push") -> None:
        """Add replies at the end; they come before a reply or a function that answers everything."""
        for reply in replies:
            _expect(reply, name)
        self._queue.extend(replies)

    def next(self, request: RequestLog) -> Reply | None:
        """The reply to `request`, or None when the script is exhausted."""
        if self._queue:
            return self._queue.popleft()
        return None if self._always is None else _expect(self._always(request), "script")

    @property
    def remaining(self) -> int:
        """How many replies are still to be played in order."""
        return len(self._queue)


class Rules:
    """Scripts for some of the requests, by path or by model.

    Args:
        rules: A path's prefix (it begins with a slash) or a model's name, and its script.
    """

    def __init__(self, rules: Mapping[str, ScriptLike]) -> None:
        scripts = {key: Script(source, f"rules[{key!r}]") for key, source in rules.items()}
        self._models = {key: script for key, script in scripts.items() if not key.startswith("/")}
        # The longest prefix first: it says the most.
        prefixes = sorted((key for key in scripts if key.startswith("/")), key=len, reverse=True)
        self._paths = {key: scripts[key] for key in prefixes}

    @property
    def models(self) -> tuple[str, ...]:
        """The models that have a rule."""
        return tuple(self._models)

    def find(self, request: RequestLog) -> Script | None:
        """The script for `request`: by its path first, then by its model."""
        for prefix, script in self._paths.items():
            if request.path.startswith(prefix):
                return script
        return self._models.get(request.model) if request.model is not None else None


def _expect(reply: object, name: str) -> Reply:
    if not isinstance(reply, Reply):
        raise ConfigError(f"{name}: expected a reply such as Answer() or overloaded(), got {type(reply).__name__}")
    return reply
