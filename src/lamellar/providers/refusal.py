"""Saying no to what a dialect cannot say."""

from __future__ import annotations

from ..errors import ExecutorError
from .classify import unsupported

__all__ = ["Refusal"]


class Refusal:
    """Makes the error for one request.

    Args:
        provider: The provider's namespace.
        model: The model that is asked.
    """

    __slots__ = ("model", "provider")

    def __init__(self, provider: str, model: str) -> None:
        self.provider = provider
        self.model = model

    def owns(self, maker: str | None) -> bool:
        """Whether a part that names its maker, or none, may go to this provider."""
        return maker in (None, self.provider, self.model)

    def __call__(
        self, field: str, found: object, mend: str, *, code: str = "unsupported", failover: bool = True
    ) -> ExecutorError:
        """The error, which the caller raises.

        Args:
            field: The field, such as ``messages[2].content[0]``.
            found: What stands there; only its type and short plain values are shown.
            mend: What would be right.
            code: The error's code.
            failover: Whether another target may be able to say it.
        """
        return unsupported(field, found, mend, provider=self.provider, model=self.model, code=code, failover=failover)
