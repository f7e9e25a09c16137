"""An error that is found while payloads are read, and raised or told once they are."""

from __future__ import annotations

from ..errors import ExecutorError

__all__ = ["Fallible"]


class Fallible:
    """A reading of payloads that may come to an error, which the caller raises or tells.

    Attributes:
        error: What they came to; None while all is well.
    """

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: ExecutorError | None = None

    def raise_error(self) -> None:
        """Raise the error, if there is one, and let go of it: its traceback would keep it alive.

        Raises:
            ExecutorError: What the payloads so far came to.
        """
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error
