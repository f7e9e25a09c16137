"""Which output item an event, or an entry of the whole answer, speaks of.

Items are told apart by their ids and by their indexes. Some servers send one of the two only, give several items the
same, make up a new id with every event, or speak of an item before they open it. So an id that is known comes first,
where it and the index agree it is certain, and nothing goes to an item of another kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..names import name_of
from .items import Item

__all__ = ["Placed", "Places"]


class Placed:
    """An item, and what is known of its place.

    Args:
        item: The item.
        kind: Its type, as the provider says it.
        presumed: Whether it was made for a delta: nothing has opened it yet.
    """

    __slots__ = ("index", "item", "item_id", "kind", "presumed")

    def __init__(self, item: Item, kind: object, *, presumed: bool) -> None:
        self.item = item
        self.kind = kind
        self.presumed = presumed
        self.index: int | None = None
        self.item_id: str | None = None


class Places:
    """The items of one answer, in the order in which they began."""

    __slots__ = ("_by_id", "_by_index", "_placed")

    def __init__(self) -> None:
        self._placed: list[Placed] = []
        self._by_index: dict[int, Placed] = {}
        self._by_id: dict[str, Placed] = {}

    def __iter__(self) -> Iterator[Item]:
        return (placed.item for placed in self._placed)

    def add(self, placed: Placed, index: object, item_id: object) -> None:
        """A new item."""
        self._placed.append(placed)
        self.name(placed, index, item_id)

    def name(self, placed: Placed, index: object, item_id: object) -> None:
        """Learn of an item's place what was not known."""
        if placed.index is None and isinstance(index, int):
            placed.index = index
            self._by_index[index] = placed
        item_id = name_of(item_id)
        if placed.item_id is None and item_id is not None:
            placed.item_id = item_id
            self._by_id[item_id] = placed

    def of_delta(self, index: object, item_id: object, kind: str | None) -> Placed | None:
        """The item that a piece belongs to.

        Args:
            index: The item's index, as it was sent.
            item_id: Its id, as it was sent.
            kind: The type of item that takes such a piece; None for any.
        """
        if index is None and item_id is None:
            return next((each for each in reversed(self._placed) if _is(each, kind) and not each.item.closed), None)
        return next((each for each in self._likely(index, name_of(item_id)) if _is(each, kind)), None)

    def to_open(self, index: object, item: dict[str, Any]) -> Placed | None:
        """The item that begins, if something of it was told before."""
        item_id, kind = name_of(item.get("id")), item.get("type")
        for each in self._likely(index, item_id):
            if _is(each, kind) and (each.presumed or (each.index == index and each.item_id == item_id is not None)):
                return each
        return None

    def to_close(self, index: object, item: dict[str, Any]) -> Placed | None:
        """The item that is whole; none for one that nothing was told of. What was closed before is not another's."""
        item_id, kind = name_of(item.get("id")), item.get("type")
        for each in self._likely(index, item_id):
            another = _differ(each.item_id, item_id) or _differ(each.index, index)
            if _is(each, kind) and not (each.item.closed and another):
                return each
        return None

    def of_output(self, output: Sequence[dict[str, Any]]) -> list[Placed | None]:
        """For each item of the whole answer that one which was told; none for those that nothing was told of.

        What agrees best comes first: the id and the place, the id, the place; and what is left over takes its turn,
        where not both have an id.
        """
        found: list[Placed | None] = [None] * len(output)
        free = dict.fromkeys(self._placed)
        ids = [name_of(item.get("id")) for item in output]

        def claim(at: int, placed: Placed | None) -> None:
            if found[at] is None and placed in free and _is(placed, output[at].get("type")):
                found[at] = placed
                del free[placed]

        for at, item_id in enumerate(ids):
            placed = self._by_index.get(at)
            if placed is not None and placed.item_id == item_id is not None:
                claim(at, placed)
        for at, item_id in enumerate(ids):
            if item_id is not None:
                claim(at, self._by_id.get(item_id))
        for at in range(len(output)):
            claim(at, self._by_index.get(at))
        for at, item_id in enumerate(ids):
            for placed in list(free) if found[at] is None else ():
                if item_id is None or placed.item_id is None:
                    claim(at, placed)
        return found

    def _likely(self, index: object, item_id: str | None) -> tuple[Placed, ...]:
        """The items that may be meant, the likeliest first."""
        by_id = None if item_id is None else self._by_id.get(item_id)
        by_index = self._by_index.get(index) if isinstance(index, int) else None
        if by_id is None:
            return () if by_index is None else (by_index,)
        if by_index is None or by_index is by_id:
            return (by_id,)
        return (by_index, by_id) if by_index.item_id == item_id else (by_id, by_index)


def _is(placed: Placed, kind: object) -> bool:
    return kind is None or placed.kind == kind


def _differ(known: object, said: object) -> bool:
    return known is not None and said is not None and known != said
