"""What is wrong with a store, told once for each cause: the calls go on, and the log is not filled by every one."""

from __future__ import annotations

import logging

from lamellar.masking import scrub

__all__ = ["Complaints"]

_logger = logging.getLogger("lamellar.cache")
_MOST_CAUSES = 32


class Complaints:
    """The causes that were told so far."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, cause: str, message: str) -> None:
        """Log `message` as a warning, unless this cause was told before."""
        if cause not in self._told and len(self._told) < _MOST_CAUSES:
            self._told.add(cause)
            _logger.warning("%s", scrub(message))

    def tell_of(self, error: Exception, doing: str) -> None:
        """Log an error of a store's own, once for each type."""
        name = type(error).__name__
        self.tell(f"{doing} {name}", f"{doing} the cache's store failed ({name}: {error}); the calls go on without it")
