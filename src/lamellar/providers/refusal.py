"""Saying no to what a dialect cannot say, or leaving it out where the user would rather have an answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import ExecutorError
from .classify import unsupported

if TYPE_CHECKING:
    from .wire import Endpoint

__all__ = ["Refusal"]

_logger = logging.getLogger("lamellar.providers")


class Refusal:
    """Makes the error for one request.

    Args:
        endpoint: Where the request goes.
        model: The model that is asked.
        maker: Whose parts may go there, where those are not the provider's own; see `Exchange.made_by`.
    """

    __slots__ = ("lenient", "maker", "model", "provider")

    def __init__(self, endpoint: Endpoint, model: str, *, maker: str | None = None) -> None:
        self.provider = endpoint.namespace
        self.maker = maker or endpoint.namespace
        self.lenient = endpoint.lenient
        self.model = model

    def owns(self, maker: str | None) -> bool:
        """Whether a part that names its maker, or none, may go to this provider."""
        return maker in (None, self.maker, self.model)

    def __call__(
        self, field: str, found: object, mend: str, *, code: str = "unsupported", failover: bool = True
    ) -> ExecutorError:
        """The error, which the caller raises: for what carries meaning, which is never left out.

        Args:
            field: The field, such as ``messages[2].content[0]``.
            found: What stands there; only its type and short plain values are shown.
            mend: What would be right.
            code: The error's code.
            failover: Whether another target may be able to say it.
        """
        return unsupported(field, found, mend, provider=self.provider, model=self.model, code=code, failover=failover)

    def or_drop(self, field: str, found: object, mend: str) -> None:
        """For what only steers the answer, such as a seed or a verbosity: refused, or left out where `lenient` says so.

        When it returns, the caller leaves the field out; a line at level INFO has told so.

        Args:
            field: See the call, as for the others.
            found: What stands there.
            mend: What would be right.

        Raises:
            ExecutorError: The endpoint is not lenient.
        """
        if not self.lenient:
            raise self(field, found, mend)
        _logger.info("%s: %s cannot be said to '%s' and is left out (lenient)", field, type(found).__name__, self.model)
