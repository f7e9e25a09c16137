"""The calls of a conversation, for providers that tell the answers apart by the tool's name and by their order."""

from __future__ import annotations

__all__ = ["CallLedger"]


class CallLedger:
    """The calls of a conversation, told of its calls and answers in their order.

    Ids may be empty, or repeat: then the answers to one id are to its calls in their order, or to those of the tool
    they name.
    """

    __slots__ = ("_calls", "_names", "_places", "_waiting")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._calls = 0  # of the model's last turn, as all that follows
        self._places: dict[str, int] = {}
        self._waiting: dict[str, list[tuple[str, int]]] = {}  # by id: names and places of calls without an answer

    def new_turn(self) -> None:
        """The model speaks again: the answers that follow are to the calls from here on."""
        self._calls = 0
        self._places = {}
        self._waiting = {}

    def called(self, call_id: str, fn_name: str) -> None:
        """The model asked for a tool."""
        self._names[call_id] = fn_name
        self._places[call_id] = self._calls
        self._waiting.setdefault(call_id, []).append((fn_name, self._calls))
        self._calls += 1

    def answered(self, call_id: str, fn_name: str | None) -> tuple[str | None, int]:
        """Take the call that an answer is to.

        Args:
            call_id: The answer's id.
            fn_name: The tool that the answer names, if it names one.

        Returns:
            The tool's name: the answer's own, or that of the call; None where nobody knows. And which call of the
            model's last turn it is; an unknown one comes after all of them.
        """
        waiting = self._waiting.get(call_id)
        if not waiting:
            return fn_name or self._names.get(call_id), self._places.get(call_id, self._calls)
        found = next((call for call in waiting if call[0] == fn_name), waiting[0])
        waiting.remove(found)
        return fn_name or found[0], found[1]
