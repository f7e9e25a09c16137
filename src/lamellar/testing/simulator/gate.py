"""A gate that holds a reply until the test lets it go on, so that no test sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Gate"]


class Gate:
    """Holds replies until the test lets them go on. Every method may be called from any thread.

    A gate begins closed. `open` lets everything pass from then on; `step` lets a counted number pass, now or later,
    which is how a test hands out a stream chunk by chunk (`Answer(chunk_gate=gate)`).
    """

    __slots__ = ("_lock", "_open", "_permits", "_waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False
        self._permits = 0
        self._waiting: list[Callable[[], None]] = []

    def open(self) -> None:
        """Let everything pass, now and later."""
        with self._lock:
            self._open = True
            woken, self._waiting = self._waiting, []
        for wake in woken:
            wake()

    def close(self) -> None:
        """Hold what comes from now on."""
        with self._lock:
            self._open = False
            self._permits = 0

    def step(self, count: int = 1) -> None:
        """Let `count` pass: those that wait, in order, and for the remainder those that come next."""
        with self._lock:
            woken, self._waiting = self._waiting[:count], self._waiting[count:]
            self._permits += count - len(woken)
        for wake in woken:
            wake()

    @property
    def is_open(self) -> bool:
        """Whether everything passes."""
        return self._open

    @property
    def waiting(self) -> int:
        """How many replies are held here at this moment."""
        return len(self._waiting)

    def enter(self, wake: Callable[[], None]) -> bool:
        """Whether the caller may pass at once; if not, `wake` is called, in the opener's thread, when it may.

        This is the simulator's side of the gate; a test does not need it.
        """
        with self._lock:
            if self._open:
                return True
            if self._permits:
                self._permits -= 1
                return True
            self._waiting.append(wake)
            return False

    def leave(self, wake: Callable[[], None]) -> None:
        """Forget a `wake` that no longer waits."""
        with self._lock:
            if wake in self._waiting:
                self._waiting.remove(wake)

    def __repr__(self) -> str:
        return f"<Gate {'open' if self._open else 'closed'}, {len(self._waiting)} waiting>"
