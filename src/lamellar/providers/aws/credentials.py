"""AWS's credentials: those that were given, or those of the usual chain.

The chain (environment, profiles, single sign-on, web identity, a container's or a machine's role; see
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html) is the business of AWS's own library (the
extra ``bedrock``). It reads files and asks the network, so it works in a thread: once when the first request is signed,
and again when temporary credentials are about to expire, for all requests of a loop together.
"""

from __future__ import annotations

import asyncio
from copy import copy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from ...errors import ErrorKind, ExecutorError
from ..classify import clean
from .sigv4 import AwsCredentials

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CredentialChain", "CredentialSource", "GivenCredentials", "botocore_is_installed"]

_NO_CREDENTIALS = (
    "AWS's chain holds no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or use a key "
    "of the service's own (BEDROCK_API_KEY)"
)


class CredentialSource(Protocol):
    """Where credentials come from."""

    async def current(self) -> AwsCredentials:
        """Those of this moment.

        Raises:
            ExecutorError: There are none.
        """
        ...


class GivenCredentials:
    """Credentials that do not change.

    Args:
        credentials: They.
    """

    __slots__ = ("_credentials",)

    def __init__(self, credentials: AwsCredentials) -> None:
        self._credentials = credentials

    async def current(self) -> AwsCredentials:
        """They."""
        return self._credentials


def botocore_is_installed() -> bool:
    """Whether AWS's library is there."""
    return find_spec("botocore") is not None


class CredentialChain:
    """AWS's own chain.

    Args:
        profile: The profile to begin with. Default: `AWS_PROFILE`, then the one called ``default``.
        session: Makes botocore's session, where it is not the plain one.
    """

    def __init__(self, profile: str | None = None, session: Callable[[], Any] | None = None) -> None:
        self._profile = profile
        self._session = session
        self._found: Any = None  # botocore's own object, which renews itself when it is asked
        self._renewals: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[AwsCredentials | ExecutorError]] = (
            WeakKeyDictionary()
        )

    async def current(self) -> AwsCredentials:
        """The credentials of this moment; who comes while they are renewed waits with the others.

        Raises:
            ExecutorError: There are none, or they cannot be renewed (``unauthorized``), or whoever gives them cannot
                be reached (``connection``).
        """
        found = self._found
        if found is not None and not _expires_soon(found):
            return _frozen(found)
        loop = asyncio.get_running_loop()
        task = self._renewals.get(loop)
        if task is None:
            task = self._renewals[loop] = loop.create_task(asyncio.to_thread(self._renewed))
            task.add_done_callback(lambda _: self._renewals.pop(loop, None))
        got = await asyncio.shield(task)  # one caller that leaves does not take the others' credentials
        if isinstance(got, ExecutorError):
            raise copy(got)
        return got

    def _renewed(self) -> AwsCredentials | ExecutorError:
        """The credentials, or why there are none; in a thread."""
        from botocore import exceptions  # type: ignore[import-untyped]

        try:
            if self._found is None:
                self._found = self._look_up()
            if self._found is None:
                return ExecutorError(ErrorKind.UNAUTHORIZED, _NO_CREDENTIALS, code="no_credentials")
            return _frozen(self._found)
        except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
            return ExecutorError(ErrorKind.CONNECTION, f"AWS's credentials cannot be had: {clean(str(error))}")
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            message = f"AWS's credentials cannot be had: {clean(str(error))}"
            return ExecutorError(ErrorKind.UNAUTHORIZED, message, code="no_credentials")

    def _look_up(self) -> Any:
        if self._session is not None:
            return self._session().get_credentials()
        from botocore.session import Session  # type: ignore[import-untyped]

        return Session(profile=self._profile).get_credentials()

    def __repr__(self) -> str:
        return f"CredentialChain(profile={self._profile!r})"


def _expires_soon(found: Any) -> bool:
    """Whether the next look at it asks the network; what does not expire never does."""
    asks = getattr(found, "refresh_needed", None)
    return bool(asks()) if asks is not None else False


def _frozen(found: Any) -> AwsCredentials:
    frozen = found.get_frozen_credentials()
    return AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token)
