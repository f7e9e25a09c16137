"""Running the user's checks, and what their answers mean."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from lamellar.errors import ErrorKind, RejectedError
from lamellar.masking import scrub

if TYPE_CHECKING:
    from .spec import Guardrail

__all__ = ["Checks"]

SubjectT = TypeVar("SubjectT")

_logger = logging.getLogger("lamellar.guardrail")


class Checks:
    """The checks of one layer.

    Args:
        spec: The options.
        target: The name of the target that the layer stands in, or None outside of any.
    """

    def __init__(self, spec: Guardrail, target: str | None) -> None:
        self._spec = spec
        self._target = target

    async def run(self, name: str, subject: SubjectT, *, may_change: bool = True) -> SubjectT | RejectedError:
        """What the checks called `name` make of `subject`: itself, another in its place, or a refusal as a value.

        Args:
            name: The option that holds them.
            subject: What is checked.
            may_change: Whether another may be put in its place.
        """
        checks: tuple[Callable[..., object], ...] = getattr(self._spec, name)
        for check in checks:
            try:
                verdict = check(subject)
                if inspect.isawaitable(verdict):
                    verdict = await verdict
            except RejectedError as error:
                return error
            except Exception as error:
                _logger.exception("the check `%s` failed", name)
                failed = self._failed(f"the check `{name}` failed with {type(error).__name__}")
                if failed is not None:
                    return failed
                continue
            if verdict is None or verdict is True:
                continue
            if verdict is False:
                return self._refused(f"`{name}` refused it and gave no reason")
            if isinstance(verdict, str):
                return self._refused(f"`{name}` refused it: {verdict}")
            if not isinstance(verdict, type(subject)) or isinstance(subject, str):
                said = f"the check `{name}` returned {type(verdict).__name__}, and {_expected(subject)} is expected"
            elif not may_change:
                said = f"the check `{name}` changes a stream's answer, of which it sees the beginning; say buffer=True"
            else:
                subject = cast("SubjectT", verdict)  # type: ignore[redundant-cast]  # pyright needs it
                continue
            _logger.error("%s", said)
            failed = self._failed(said)
            if failed is not None:
                return failed
        return subject

    def _failed(self, said: str) -> RejectedError | None:
        return None if self._spec.fail_open else self._refused(said)

    def _refused(self, said: str) -> RejectedError:
        return RejectedError(ErrorKind.GUARDRAIL, scrub(said), target=self._target)


def _expected(subject: object) -> str:
    other = "" if isinstance(subject, str) else f" or another {type(subject).__name__}"
    return f"None, a bool, a reason as text{other}"
